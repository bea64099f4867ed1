"""Loads versions, and tries again those that fail."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkroom.serving.model_server.errors import Code, to_status_error
from darkroom.serving.model_server.models import memory
from darkroom.serving.model_server.models.leases import LoadedVersion, Servable
from darkroom.serving.model_server.models.statuses import State, StatusBoard, VersionStatus
from darkroom.serving.model_server.models.versions import SAVED_MODEL_FILES, find_file
from darkroom.serving.model_server.operations.metrics import Metrics

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadPolicy:
    """How to look for versions and how to go on after a failed load.

    Args:
        poll_wait_seconds: Seconds between two looks at the folder; 0 looks once.
        max_num_retries: How often to try again after a failed load.
        retry_interval_seconds: Seconds between these tries.
        model_files: A folder with one of these files holds a model.
    """

    poll_wait_seconds: float = 1.0
    max_num_retries: int = 5
    retry_interval_seconds: float = 60.0
    model_files: Sequence[str] = SAVED_MODEL_FILES


@dataclass(frozen=True)
class _Failure:
    """The failed tries to load one version.

    Attributes:
        fingerprint: Of the file that was tried; another file is another first try.
        tries: How many failed.
        retry_at: Monotonic time of the next try; None if there is none.
    """

    fingerprint: object
    tries: int
    retry_at: float | None


class VersionLoader:
    """Loads the versions of one model; used by the one thread that follows the model.

    Args:
        board: Where LOADING and failures are posted.
        slots: Held while loading; None sets no bound.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[Path], Servable],
        policy: LoadPolicy,
        board: StatusBoard,
        slots: threading.Semaphore | None,
        metrics: Metrics,
    ) -> None:
        self._name = name
        self._load = load
        self._policy = policy
        self._board = board
        self._slots = slots
        self._metrics = metrics
        self._failures: dict[int, _Failure] = {}

    def try_load(self, version: int, path: Path, stopping: threading.Event) -> LoadedVersion | None:
        """Loads a version, unless it has failed and the time of its next try has not come.

        No load begins once `stopping` is set. Returns None where the version is not loaded; if it
        failed, that is in its status.
        """
        fingerprint = _fingerprint(path, self._policy.model_files)
        failure = self._failures.get(version)
        if failure is not None and failure.fingerprint == fingerprint:
            if failure.retry_at is None or time.monotonic() < failure.retry_at:
                return None
            tries = failure.tries
        else:
            tries = 0
            self._board.post(VersionStatus(version, State.START))
        with self._slots or contextlib.nullcontext():
            if stopping.is_set():
                return None
            return self._load_now(version, path, _Failure(fingerprint, tries, None))

    def _load_now(self, version: int, path: Path, before: _Failure) -> LoadedVersion | None:
        self._board.post(VersionStatus(version, State.LOADING))
        logger.info("model %s: loading version %d from %s", self._name, version, path)
        started = time.perf_counter()
        try:
            loaded = LoadedVersion(version, self._load(path))
        except Exception as error:
            self._observe(version, path, started, ok=False)
            self._note_failure(version, before, error)
            return None
        seconds = self._observe(version, path, started, ok=True)
        logger.info("model %s: loaded version %d in %.2f s", self._name, version, seconds)
        self._failures.pop(version, None)
        memory.trim()
        return loaded

    def _observe(self, version: int, path: Path, started: float, ok: bool) -> float:
        seconds = time.perf_counter() - started
        self._metrics.observe_load(self._name, str(path), seconds, ok)
        return seconds

    def _note_failure(self, version: int, before: _Failure, error: Exception) -> None:
        tries = before.tries + 1
        again = tries <= self._policy.max_num_retries
        retry_at = time.monotonic() + self._policy.retry_interval_seconds if again else None
        self._failures[version] = _Failure(before.fingerprint, tries, retry_at)
        status = to_status_error(error, f"loading version {version} of model {self._name}")
        state = State.LOADING if again else State.END
        self._board.post(VersionStatus(version, state, status.code, status.message))
        logger.error(
            "model %s: version %d does not load (try %d of %d): %s",
            self._name, version, tries, self._policy.max_num_retries + 1, status.message,
        )  # fmt: skip

    def next_try(self) -> float | None:
        """Returns the monotonic time of the next try; None if nothing is to be tried again."""
        times = [f.retry_at for f in self._failures.values() if f.retry_at is not None]
        return min(times, default=None)

    def is_trying(self, version: int) -> bool:
        """Returns whether a version has failed and its status says so."""
        return version in self._failures

    def forget_failures(self, keep: Collection[int]) -> None:
        """Gives up the versions that have failed and are not wanted any more."""
        for version in self._failures.keys() - set(keep):
            del self._failures[version]
            message = f"version {version} was removed before it was loaded"
            self._board.post(VersionStatus(version, State.END, Code.NOT_FOUND, message))


def _fingerprint(path: Path, model_files: Sequence[str]) -> object:
    file = find_file(path, model_files)
    try:
        stat = file.stat() if file is not None else None
    except OSError:
        return None
    return stat and (stat.st_ino, stat.st_size, stat.st_mtime_ns)

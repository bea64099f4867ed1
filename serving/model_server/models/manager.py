"""Follows the versions of one model in its folder: loads the newest, then lets the old one go."""

import contextlib
import functools
import gc
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.model_server.errors import Code, NotAvailableError, NotFound, to_status_error
from serving.model_server.models.leases import LoadedVersion, Servable
from serving.model_server.models.statuses import State, StatusBoard, VersionStatus
from serving.model_server.models.versions import find_saved_model_file, list_versions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadPolicy:
    """How to look for versions and how to go on after a failed load.

    Args:
        poll_wait_seconds: Seconds between two looks at the folder; 0 looks once.
        max_num_retries: How often to try again after a failed load.
        retry_interval_seconds: Seconds between these tries.
    """

    poll_wait_seconds: float = 1.0
    max_num_retries: int = 5
    retry_interval_seconds: float = 60.0


@dataclass(frozen=True)
class _Failure:
    """The failed tries to load one version.

    Attributes:
        fingerprint: Of the file that was tried; another file is another first try.
        tries: How many failed.
        retry_at: Monotonic time of the next try.
    """

    fingerprint: object
    tries: int
    retry_at: float


class ModelManager:
    """Serves the newest version that loads.

    A new version is loaded while the old one answers; then new requests go to the new one and the
    old one ends with its last request. A version that does not load is skipped with its error in
    its status, and the best older one is served. (TensorFlow Serving, started on a folder whose
    newest version is broken, serves none.)

    Args:
        name: Name of the model.
        base_path: Folder of the version folders.
        load: Makes a servable of a version folder.
        policy: When to look and when to try again.
    """

    def __init__(
        self,
        name: str,
        base_path: Path,
        load: Callable[[Path], Servable],
        policy: LoadPolicy | None = None,
    ) -> None:
        self.name = name
        self._base_path = base_path
        self._load = load
        self._policy = policy or LoadPolicy()
        self._board = StatusBoard()
        # Replaced as a whole, never changed, so that requests read it without a lock.
        self._serving: Mapping[int, LoadedVersion] = {}
        self._failures: dict[int, _Failure] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._base_path_seen = True
        self._garbage = threading.Event()

    def start(self) -> None:
        """Loads what the folder holds, then follows it in a thread."""
        self.poll()
        if self._policy.poll_wait_seconds > 0:
            self._thread = threading.Thread(
                target=self._follow, name=f"follow-{self.name}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stops following and takes no new requests; returns at once."""
        self._stopping.set()
        if self._thread is not None:
            # A load cannot be interrupted, and its thread does not keep the process alive.
            self._thread.join(timeout=self._policy.poll_wait_seconds + 1)
        self._serve_only({})

    @contextlib.contextmanager
    def lease(self, version: int | None = None) -> Iterator[LoadedVersion]:
        """Keeps a version loaded for the time of a request.

        Args:
            version: Number of the version; None takes the newest.

        Raises:
            NotFound: That version is not served.
        """
        loaded = self._acquire(version)
        try:
            yield loaded
        finally:
            loaded.release()

    def _acquire(self, version: int | None) -> LoadedVersion:
        while True:
            serving = self._serving
            wanted = max(serving, default=None) if version is None else version
            if wanted is None or wanted not in serving:
                request = "Latest({})" if version is None else "Specific({}, {})"
                raise NotFound(
                    f"Servable not found for request: {request.format(self.name, version)}"
                )
            # False when retired since `serving` was read: a newer one is there then.
            if serving[wanted].acquire():
                return serving[wanted]

    def list_statuses(self) -> list[VersionStatus]:
        """Returns the statuses of all versions seen, the newest first."""
        return self._board.list_all()

    def wait_until_available(self, timeout_seconds: float) -> None:
        """Waits until a version is AVAILABLE.

        Raises:
            NotAvailableError: The time is over, or a version failed for good and none is left.
        """
        self._board.wait_for(_is_decided, timeout_seconds)
        statuses = self.list_statuses()
        if any(status.state is State.AVAILABLE for status in statuses):
            return
        reasons = [f"version {s.version}: {s.message}" for s in statuses if s.message]
        reason = "; ".join(reasons) or f"no version in {self._base_path}"
        raise NotAvailableError(f"model {self.name!r} is not available: {reason}")

    def _follow(self) -> None:
        while not self._stopping.wait(self._policy.poll_wait_seconds):
            try:
                self.poll()
            except Exception:
                # Whatever happens in one look must not end the following of new versions.
                logger.exception("model %s: looking for versions failed", self.name)

    def poll(self) -> None:
        """Looks at the folder once and loads or unloads accordingly."""
        self._collect_garbage()
        found = list_versions(self._base_path)
        self._report_base_path(found is not None)
        if found is None:
            return
        self._forget_failures(keep=found.keys())
        for version in sorted(found, reverse=True):
            loaded = self._serving.get(version) or self._try_load(version, found[version])
            if self._stopping.is_set():
                return
            if loaded is not None:
                self._serve_only({version: loaded})
                return
        if not found:
            self._serve_only({})

    def _report_base_path(self, seen: bool) -> None:
        if not seen and self._base_path_seen:
            logger.warning("model %s: cannot read %s; still trying", self.name, self._base_path)
        self._base_path_seen = seen

    def _try_load(self, version: int, path: Path) -> LoadedVersion | None:
        fingerprint = _fingerprint(path)
        failure = self._failures.get(version)
        if failure is None or failure.fingerprint != fingerprint:
            failure = _Failure(fingerprint, tries=0, retry_at=0.0)
        if failure.tries > self._policy.max_num_retries or time.monotonic() < failure.retry_at:
            return None
        self._board.post(VersionStatus(version, State.LOADING))
        try:
            loaded = LoadedVersion(version, self._load(path))
        except Exception as error:
            self._note_failure(version, failure, error)
            return None
        self._failures.pop(version, None)
        return loaded

    def _forget_failures(self, keep: Collection[int]) -> None:
        for version in self._failures.keys() - keep:
            del self._failures[version]
            message = f"version {version} was removed before it was loaded"
            self._board.post(VersionStatus(version, State.END, Code.NOT_FOUND, message))

    def _note_failure(self, version: int, failure: _Failure, error: Exception) -> None:
        tries = failure.tries + 1
        retry_at = time.monotonic() + self._policy.retry_interval_seconds
        self._failures[version] = _Failure(failure.fingerprint, tries, retry_at)
        state = State.END if tries > self._policy.max_num_retries else State.LOADING
        status = to_status_error(error)
        self._board.post(VersionStatus(version, state, status.code, status.message))
        logger.error(
            "model %s: version %d does not load (try %d of %d): %s",
            self.name, version, tries, self._policy.max_num_retries + 1, status.message,
        )  # fmt: skip

    def _serve_only(self, wanted: Mapping[int, LoadedVersion]) -> None:
        previous, self._serving = self._serving, wanted
        for version in wanted.keys() - previous.keys():
            self._board.post(VersionStatus(version, State.AVAILABLE))
            logger.info("model %s: serving version %d", self.name, version)
        for version in previous.keys() - wanted.keys():
            self._board.post(VersionStatus(version, State.UNLOADING))
            retired = previous[version]
            retired.retire(on_idle=functools.partial(self._end, retired))

    def _end(self, loaded: LoadedVersion) -> None:
        version = loaded.version
        loaded.servable.close()
        self._board.post(VersionStatus(version, State.END))
        logger.info("model %s: version %d unloaded", self.name, version)
        self._garbage.set()

    def _collect_garbage(self) -> None:
        # TensorFlow's objects hold each other in circles; their memory would stay a long time.
        # Not done where a version ends, because that is a request's thread.
        if self._garbage.is_set():
            self._garbage.clear()
            gc.collect()


def _fingerprint(path: Path) -> object:
    file = find_saved_model_file(path)
    try:
        stat = file.stat() if file is not None else None
    except OSError:
        return None
    return stat and (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _is_decided(statuses: list[VersionStatus]) -> bool:
    states = {status.state for status in statuses}
    failed = any(s.state is State.END and s.message for s in statuses)
    return State.AVAILABLE in states or (failed and states == {State.END})

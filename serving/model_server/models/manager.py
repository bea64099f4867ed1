"""Follows the versions of one model in its folder: loads new ones, then lets old ones go.

What holds at any time, and what the tests hold it to:

* One thread of its own loads, retires and ends the versions of a model; nothing else does, but for
  `stop`, which retires all of them.
* The versions that serve are a mapping that is replaced as a whole and never changed. A request
  reads it without a lock, and counts itself in the version before it uses it.
* A version that serves is let go only once one that is wanted serves, or where none is wanted.
* A version that takes no more requests ends with its last one, not before; another one of the same
  number may be loaded meanwhile, and then the number's status is that one's.
* After `stop`, no version serves, not even one whose load was under way.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from darkroom.serving.model_server.errors import NotAvailableError, NotFound
from darkroom.serving.model_server.failures import report_failure
from darkroom.serving.model_server.models import memory
from darkroom.serving.model_server.models.leases import LoadedVersion, Servable
from darkroom.serving.model_server.models.loading import LoadPolicy, VersionLoader
from darkroom.serving.model_server.models.statuses import State, StatusBoard, VersionStatus
from darkroom.serving.model_server.models.versions import VersionPolicy, list_versions
from darkroom.serving.model_server.operations.metrics import Metrics

FOLLOWING: Final = "follow-"
"""How the names of the threads begin that follow a model."""
POLL_SECONDS: Final = 0.05
"""How soon who waits for a model sees that it is loaded."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Aim:
    """What is to be served; another one replaces it as a whole."""

    base_path: Path
    versions: VersionPolicy


class ModelManager:
    """Serves the versions of one model that a policy asks for.

    A new version is loaded while the old one answers; then new requests go to the new one and the
    old one ends with its last request. A version that does not load is skipped with its error in
    its status; where the newest are asked for, the best older one takes its place. (TensorFlow
    Serving, started on a folder whose newest version is broken, does not start.)

    Args:
        base_path: Folder of the version folders.
        load: Makes a servable of a version folder.
        policy: When to look and when to try again.
        versions: Which versions are served; the newest by default.
        slots: Held while loading, to bound how many versions of all models load at a time.
    """

    def __init__(
        self,
        name: str,
        base_path: Path,
        load: Callable[[Path], Servable],
        metrics: Metrics,
        policy: LoadPolicy | None = None,
        versions: VersionPolicy | None = None,
        slots: threading.Semaphore | None = None,
    ) -> None:
        self.name = name
        self._policy = policy or LoadPolicy()
        self._aim = _Aim(base_path, versions or VersionPolicy())
        self._board = StatusBoard()
        self._loader = VersionLoader(name, load, self._policy, self._board, slots, metrics)
        self._lock = threading.Lock()
        self._serving: Mapping[int, LoadedVersion] = {}
        self._idle: deque[LoadedVersion] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=FOLLOWING + name, daemon=True)
        # All that follows belongs to the thread.
        self._followed: _Aim | None = None
        self._found: Mapping[int, Path] | None = None
        self._next_look = 0.0
        self._living: dict[int, list[LoadedVersion]] = {}
        self._complaint = ""

    def start(self) -> None:
        """Begins to follow the folder, in a thread."""
        self._thread.start()

    def wait_for_first_look(self, timeout_seconds: float | None = None) -> bool:
        """Waits until what the folder held is loaded or has failed; returns whether it is so."""
        return self._looked.wait(timeout_seconds)

    def configure(self, base_path: Path, versions: VersionPolicy) -> None:
        """Sets what to serve from now on; returns at once.

        A version that is loaded stays as it is, even where the new folder has one of that number.
        """
        aim = _Aim(base_path, versions)
        if aim != self._aim:
            self._aim = aim
            self._wake.set()

    def stop(self) -> None:
        """Takes no new requests and follows no longer; returns at once."""
        self._stopping.set()
        self._serve_only({})
        self._looked.set()
        self._wake.set()

    def join(self, timeout_seconds: float) -> bool:
        """Waits until a stopped model is unloaded; returns whether it is.

        A load cannot be interrupted, and its thread does not keep the process alive.
        """
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def acquire(self, version: int | None = None) -> LoadedVersion | None:
        """Returns a version, or the newest, with one more user, who releases it.

        None where it is not served.
        """
        while True:
            serving = self._serving
            wanted = max(serving, default=None) if version is None else version
            if wanted is None or wanted not in serving:
                return None
            # False when retired since `serving` was read: it is no longer in there then.
            if serving[wanted].acquire():
                return serving[wanted]

    def is_available(self, version: int) -> bool:
        """Returns whether requests for this version are answered."""
        return version in self._serving

    def list_statuses(self) -> list[VersionStatus]:
        """Returns the statuses of all versions seen, the newest first."""
        return self._board.list_all()

    def is_decided(self) -> bool:
        """Returns whether a version is AVAILABLE, or all have failed for good, or it is stopped."""
        statuses = self.list_statuses()
        states = {status.state for status in statuses}
        failed = any(s.state is State.END and s.message for s in statuses)
        if self._stopping.is_set():
            return True
        return State.AVAILABLE in states or (failed and states == {State.END})

    def wait_until_available(self, timeout_seconds: float) -> None:
        """Waits until a version is AVAILABLE.

        Raises:
            NotAvailableError: The time is over, or a version failed for good and none is left.
        """
        deadline = time.monotonic() + timeout_seconds
        while not self.is_decided() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        statuses = self.list_statuses()
        if any(status.state is State.AVAILABLE for status in statuses):
            return
        reasons = [f"version {s.version}: {s.message}" for s in statuses if s.message]
        reason = "; ".join(reasons) or f"no version in {self._aim.base_path}"
        raise NotAvailableError(f"model {self.name!r} is not available: {reason}")

    def _follow(self) -> None:
        while not (self._stopping.is_set() and not self._living):
            try:
                self._end_idle()
                self.work()
            except Exception as error:
                # Whatever happens in one look must not end the following of new versions.
                report_failure(f"model {self.name}: looking for versions failed", error)
            self._looked.set()
            self._wake.wait(self._count_seconds_to_wait())
            self._wake.clear()

    def _count_seconds_to_wait(self) -> float | None:
        if self._stopping.is_set():
            return None if self._living else 0.0
        next_look = self._next_look if self._policy.poll_wait_seconds > 0 else None
        times = [at for at in (next_look, self._loader.next_try()) if at is not None]
        return max(min(times) - time.monotonic(), 0.0) if times else None

    def work(self) -> None:
        """Looks at the folder if it is time to, and loads or lets go accordingly."""
        while not self._stopping.is_set():
            aim = self._aim
            due = self._policy.poll_wait_seconds > 0 and time.monotonic() >= self._next_look
            if aim is not self._followed or due:
                self._look(aim)
            if self._found is None or self._approach(aim, self._found):
                return

    def _look(self, aim: _Aim) -> None:
        self._next_look = time.monotonic() + self._policy.poll_wait_seconds
        found = list_versions(aim.base_path, self._policy.model_files)
        if found is not None or aim is not self._followed:
            self._found = found
        self._followed = aim
        self._complain(_describe_lack(aim, found))

    def _complain(self, complaint: str) -> None:
        # Said once, and again only after it was otherwise.
        if complaint and complaint != self._complaint:
            logger.warning("model %s: %s", self.name, complaint)
        self._complaint = complaint

    def _approach(self, aim: _Aim, found: Mapping[int, Path]) -> bool:
        """Loads and lets go; returns False where the aim has changed meanwhile."""
        candidates = aim.versions.choose(found)
        self._loader.forget_failures(keep=candidates)
        kept: dict[int, LoadedVersion] = {}
        for version in candidates:
            loaded = self._serving.get(version) or self._load(version, found[version])
            if loaded is not None:
                kept[version] = loaded
                self._serve_only({**self._serving, version: loaded})
            if self._stopping.is_set() or self._aim is not aim:
                return False
            if len(kept) == aim.versions.limit:
                break
        if kept or not candidates:
            self._serve_only(kept)
        return True

    def _load(self, version: int, path: Path) -> LoadedVersion | None:
        if self._stopping.is_set():
            # Else one that `stop` has just retired would be said to start anew.
            return None
        loaded = self._loader.try_load(version, path, self._stopping)
        if loaded is not None:
            self._living.setdefault(version, []).append(loaded)
        return loaded

    def _serve_only(self, wanted: Mapping[int, LoadedVersion]) -> None:
        with self._lock:
            serving = {} if self._stopping.is_set() else wanted
            previous, self._serving = self._serving, serving
            for version in serving.keys() - previous.keys():
                self._board.post(VersionStatus(version, State.AVAILABLE))
                logger.info("model %s: serving version %d", self.name, version)
            for version, loaded in {**previous, **wanted}.items():
                if version not in serving and not loaded.is_retired:
                    self._board.post(VersionStatus(version, State.UNLOADING))
                    loaded.retire(self._note_idle)

    def _note_idle(self, loaded: LoadedVersion) -> None:
        # Called where the last request ends, which is no place to free a model's memory.
        self._idle.append(loaded)
        self._wake.set()

    def _end_idle(self) -> None:
        if self._idle:
            while self._idle:
                self._end(self._idle.popleft())
            memory.give_back()

    def _end(self, loaded: LoadedVersion) -> None:
        version = loaded.version
        try:
            loaded.servable.close()
        except Exception as error:
            report_failure(f"model {self.name}: closing version {version} failed", error)
        living = self._living[version]
        newest = living[-1] is loaded
        living.remove(loaded)
        if not living:
            del self._living[version]
        if newest and not self._loader.is_trying(version):
            self._board.post(VersionStatus(version, State.END))
        logger.info("model %s: version %d unloaded", self.name, version)


def not_served(name: str, version: int | None) -> NotFound:
    """Returns the error of a request for a version, or the newest, that is not served."""
    wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return NotFound(f"Servable not found for request: {wanted}")


def _describe_lack(aim: _Aim, found: Collection[int] | None) -> str:
    if found is None:
        return f"cannot read {aim.base_path}; still trying"
    if not found:
        return f"no version in {aim.base_path}; a version is a folder named 1, 2, …"
    only = aim.versions.only
    if only is not None:
        missing = ", ".join(map(str, sorted(only - set(found))))
        if missing or not only:
            return f"version {missing or '(none)'} is asked for and not in {aim.base_path}"
    return ""

"""What is known of each version of a model, as GetModelStatus reports it."""

import threading
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from darkroom.serving.model_server.errors import Code


class State(IntEnum):
    """State of a version; the numbers are those of `ModelVersionStatus.State`."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True)
class VersionStatus:
    """State of one version.

    Attributes:
        code: OK, or why its last load failed.
        message: The same in words; empty if OK.
    """

    version: int
    state: State
    code: Code = Code.OK
    message: str = ""


class StatusBoard:
    """The statuses of one model's versions; safe to use from any thread."""

    MAX_ENDED: Final = 100
    """Versions in state END that are remembered, so that the board does not grow for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[int, VersionStatus] = {}

    def post(self, status: VersionStatus) -> None:
        """Sets the status of a version."""
        with self._lock:
            self._statuses[status.version] = status
            ended = [v for v, s in self._statuses.items() if s.state is State.END]
            for version in sorted(ended)[: -self.MAX_ENDED]:
                del self._statuses[version]

    def list_all(self) -> list[VersionStatus]:
        """Returns all statuses, the newest version first."""
        with self._lock:
            return sorted(self._statuses.values(), key=lambda s: s.version, reverse=True)

"""A loaded version, and counting the requests that use it."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np


class Servable(Protocol):
    """A model that can be asked; the seam between managing models and TensorFlow."""

    signature_defs: Mapping[str, Any]
    """Signature name to `SignatureDef` message."""

    async def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Runs a signature; the inputs are known to fit it by name and type."""

    def close(self) -> None:
        """Lets go of what the model holds; called once, when nobody uses it any more."""


class LoadedVersion:
    """A servable with its version, kept until the last request that uses it has ended."""

    def __init__(self, version: int, servable: Servable) -> None:
        self.version = version
        self.servable = servable
        self._lock = threading.Lock()
        self._users = 0
        self._on_idle: Callable[[LoadedVersion], None] | None = None

    @property
    def is_retired(self) -> bool:
        """Whether the version takes no new users."""
        return self._on_idle is not None

    def acquire(self) -> bool:
        """Counts one more user; returns False if the version takes no new ones."""
        with self._lock:
            if self._on_idle is not None:
                return False
            self._users += 1
            return True

    def release(self) -> None:
        """Counts one user less; the last one of a retired version ends it."""
        with self._lock:
            self._users -= 1
            on_idle = self._on_idle if self._users == 0 else None
        if on_idle is not None:
            on_idle(self)

    def retire(self, on_idle: "Callable[[LoadedVersion], None]") -> None:
        """Takes no new users, and has itself passed to a function once the present ones are done.

        That is called once, in the thread that ends the last use.
        """
        with self._lock:
            self._on_idle = on_idle
            idle = self._users == 0
        if idle:
            on_idle(self)

"""The unix socket of the gRPC API: taking its path, and giving it back."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from darkroom.serving.model_server.errors import StartError

MAX_PATH_BYTES: Final = 107
"""What Linux takes."""


def name_socket(path: Path) -> Path:
    """Returns where to bind the socket first, beside its path, and checks that it can be had.

    gRPC removes what it has bound when it stops. Bound by its own path, a server that is stopped
    would take the socket of the one that has taken over with it.

    Raises:
        StartError: Something that is no socket is there, or the path is not possible.
    """
    bound = path.absolute().with_name(f".{secrets.token_hex(3)}")
    size = max(len(os.fsencode(path)), len(os.fsencode(bound)))
    if size > MAX_PATH_BYTES:
        raise StartError(
            f"grpc_socket_path={path} has {size} bytes, and a unix socket's path at most "
            f"{MAX_PATH_BYTES}; use a shorter one"
        )
    if not bound.parent.is_dir():
        raise StartError(f"grpc_socket_path={path}: there is no such folder; create it")
    if not os.access(bound.parent, os.W_OK | os.X_OK):
        raise StartError(f"grpc_socket_path={path}: cannot write to this folder; use another one")
    if (path.is_symlink() or path.exists()) and not stat.S_ISSOCK(path.lstat().st_mode):
        raise StartError(f"grpc_socket_path={path} is there and no socket; use another path")
    return bound


class SocketFile:
    """The file of a bound socket, to be removed once its server has stopped.

    As with gRPC and TensorFlow Serving, a server takes over the path of one that runs: the bound
    socket is moved there.
    """

    def __init__(self, bound: Path, path: Path) -> None:
        self._path = path.absolute()
        bound.replace(self._path)
        self._identity = _identify(self._path)

    def remove(self) -> None:
        """Removes the file, unless it is another server's by now."""
        if self._identity is not None and _identify(self._path) == self._identity:
            self._path.unlink(missing_ok=True)


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino

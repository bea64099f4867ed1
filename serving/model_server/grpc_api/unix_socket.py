"""The unix socket of the gRPC API: taking its path, and giving it back."""

import errno
import os
import socket
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from serving.model_server.errors import StartError

MAX_PATH_BYTES: Final = 107
"""What Linux takes."""


def prepare_path(path: Path) -> str:
    """Makes way for a socket, and returns its address for gRPC.

    What a server that was killed has left behind is removed. gRPC itself would remove the socket
    of a server that runs as well.

    Raises:
        StartError: Something else is there, another server listens, or the path is not possible.
    """
    size = len(os.fsencode(path))
    if size > MAX_PATH_BYTES:
        raise StartError(
            f"grpc_socket_path={path} has {size} bytes, and a unix socket's path at most "
            f"{MAX_PATH_BYTES}; use a shorter one"
        )
    if not path.absolute().parent.is_dir():
        raise StartError(f"grpc_socket_path={path}: there is no such folder; create it")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise StartError(f"grpc_socket_path={path}: cannot write to this folder; use another one")
    if path.is_symlink() or path.exists():
        _remove_stale(path)
    return f"unix:{quote(str(path.absolute()))}"


def _remove_stale(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise StartError(f"grpc_socket_path={path} is there and no socket; use another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        # A server whose queue is full answers EAGAIN, and is alive.
        is_stale = probe.connect_ex(str(path)) == errno.ECONNREFUSED
    if not is_stale:
        raise StartError(f"grpc_socket_path={path}: another server listens there; use another path")
    path.unlink()


class SocketFile:
    """The file of a bound socket, to be removed once its server has stopped.

    Args:
        path: The bound socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
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

"""The unix socket of the gRPC API: whose it is, and what becomes of its file."""

import contextlib
import socket
import subprocess
import sys

import pytest

from darkroom.serving.model_server.errors import StartError
from darkroom.serving.model_server.grpc_api.unix_socket import (
    MAX_PATH_BYTES,
    SocketFile,
    name_socket,
)
from darkroom.tests.serving.grpc_api.grpc_servers import open_channel, predict, run_server


def test_socket_is_served_besides_the_port(tmp_path):
    path = tmp_path / "s"
    with run_server(tmp_path, grpc_socket_path=path) as server:
        for address in (f"unix:{path}", server.address):
            with open_channel(address) as channel:
                assert predict(channel) == b"hello"
    assert not path.exists()


def test_socket_only(tmp_path):
    path = tmp_path / "s"
    with run_server(tmp_path, grpc_socket_path=path, grpc_port=None) as server:
        assert server.server.port is None
        with open_channel(f"unix:{path}") as channel:
            assert predict(channel) == b"hello"


def test_name_with_odd_characters(tmp_path):
    path = tmp_path / "a %41?b#é"
    with run_server(tmp_path, grpc_socket_path=path):
        assert path.is_socket()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_path_that_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with run_server(tmp_path, grpc_socket_path="s"):
        assert (tmp_path / "s").is_socket()


def test_socket_that_a_killed_server_left_behind_is_replaced(tmp_path):
    path = tmp_path / "s"
    code = f"import socket, os; s = socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); "
    code += "s.listen(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], timeout=30)
    assert path.is_socket()
    with run_server(tmp_path, grpc_socket_path=path), open_channel(f"unix:{path}") as channel:
        assert predict(channel) == b"hello"


def test_socket_of_a_server_that_runs_is_taken_over(tmp_path):
    path = tmp_path / "s"
    with (
        run_server(tmp_path, grpc_socket_path=path) as first,
        run_server(tmp_path, grpc_socket_path=path) as second,
        open_channel(f"unix:{path}") as channel,
    ):
        assert predict(channel) == b"hello"
        assert (first.records.begun, second.records.begun) == (0, 1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def test_socket_stays_when_the_server_that_had_it_before_stops(tmp_path):
    path = tmp_path / "s"
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        first.enter_context(run_server(tmp_path, grpc_socket_path=path))
        second.enter_context(run_server(tmp_path, grpc_socket_path=path))
        first.close()
        with open_channel(f"unix:{path}") as channel:
            assert predict(channel) == b"hello"
    assert not path.exists()


def test_file_that_is_no_socket_is_left_alone(tmp_path):
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(StartError, match="is there and no socket; use another path"):
        name_socket(path)
    assert path.read_text() == "mine"


def test_link_is_left_alone(tmp_path):
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StartError, match="is there and no socket"):
        name_socket(path)


def test_path_that_is_too_long(tmp_path):
    path = tmp_path / ("é" * MAX_PATH_BYTES)
    with pytest.raises(StartError, match=r"has \d+ bytes, and a unix socket's path at most 107"):
        name_socket(path)


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(StartError, match="there is no such folder; create it"):
        name_socket(tmp_path / "nope" / "s")


def test_socket_of_the_next_server_is_not_removed(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(path))
        file = SocketFile(path, path)
    path.rename(tmp_path / "old")
    with socket.socket(socket.AF_UNIX) as second:
        second.bind(str(path))
        file.remove()
        assert path.is_socket()

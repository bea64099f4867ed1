"""The command line and a server that is starting."""

import threading
import time

import numpy as np
import pytest

from darkroom.serving import protos
from darkroom.serving.protos import tensors
from darkroom.tests.ports import free_ports
from darkroom.tests.serving.client.doubles import (
    ScriptedGrpcServer,
    ScriptedHttpServer,
    http_answer,
)
from darkroom.tests.serving.client.test_cli import answer_for, run


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"x")
    return path


@pytest.fixture
def late_server():
    """The address of a server that begins to listen after a second, by its protocol."""
    (port,) = free_ports(1)
    servers, timers = [], []

    def start(protocol):
        if protocol == "rest":
            servers.append(ScriptedHttpServer(answer_for("a"), port=port))
        else:
            outputs = {
                "label": np.array([b"a"], object),
                "score": np.array([1.0], np.float32),
                "probabilities": np.array([[1.0]], np.float32),
                "classes": np.array([[b"a"]], object),
                "valid": np.array([True]),
            }
            message = protos.message_class("tensorflow.serving.PredictResponse")()
            for name, array in outputs.items():
                tensors.fill_tensor(message.outputs[name], array)
            servers.append(ScriptedGrpcServer(message, address=f"127.0.0.1:{port}"))
        servers[0].__enter__()

    def schedule(protocol):
        timers.append(threading.Timer(1.0, start, [protocol]))
        timers[0].start()
        return f"http://127.0.0.1:{port}" if protocol == "rest" else f"127.0.0.1:{port}"

    yield schedule
    timers[0].join()
    servers[0].__exit__()


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_server_that_is_starting_is_waited_for(capsys, image, late_server, protocol):
    server = [f"--{protocol}", late_server(protocol), "--model", "m"]
    code, output, errors = run(capsys, "predict", image, *server, "--retries", "0")
    assert (code, output) == (0, f"{image}: a 1.0000\n"), errors
    (line,) = errors.splitlines()
    assert server[1] in line
    assert line.endswith("; waiting up to 30 s for the server to start")


def test_wait_for_a_server_has_an_end(capsys, image):
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    began = time.monotonic()
    code, output, errors = run(
        capsys, "predict", image, "--rest", url, "--model", "m", "--wait", "1"
    )
    assert (code, output) == (1, "")
    assert 0.4 < time.monotonic() - began < 5
    waits, failure = errors.splitlines()
    assert "waiting up to 1 s" in waits
    assert failure == (
        f"client: {image}: {url}: Connection refused; is a model server running there? "
        "--wait waits longer for one"
    )


def test_server_that_has_answered_once_is_not_waited_for(capsys, image):
    with ScriptedHttpServer(answer_for("a"), http_answer(503)) as server:
        arguments = ["--rest", server.url, "--model", "m", "--retries", "0", "--batch-size", "1"]
        code, output, errors = run(capsys, "predict", image, image, *arguments)
    assert (code, output) == (1, f"{image}: a 1.0000\n")
    assert "waiting" not in errors

"""A server with enable_batching: both protocols, real models, real refusals."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import tensorflow as tf

from darkroom.serving.client import (
    DeadlineError,
    GrpcClient,
    RequestError,
    RetryPolicy,
    UnavailableError,
)
from darkroom.serving.model_server import ModelServer, NotAvailableError, ServerConfig
from darkroom.serving.model_server.batching.parameters import VERSION_FILE
from darkroom.tests.serving.batching.fakes import HOUR, PATIENCE_SECONDS

ONCE = RetryPolicy(attempts=1)
NEVER = f"batch_timeout_micros {{ value: {HOUR} }} num_batch_threads {{ value: 1 }}"
"""A batch that is not full waits for ever, so that what shares a batch is certain."""


class Batches(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])
    def count(self, x):
        """Tells each row how many there are in the batch."""
        return {"rows": tf.fill([tf.size(x)], tf.size(x)), "x": x}

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "text")])
    def to_number(self, text):
        return {
            "number": tf.strings.to_number(text),
            "rows": tf.fill([tf.size(text)], tf.size(text)),
        }


@pytest.fixture(scope="module")
def base_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("batches")
    module = Batches()
    signatures = {"serving_default": module.count, "to_number": module.to_number}
    tf.saved_model.save(module, str(path / "1"), signatures)
    return path


@pytest.fixture
def start(base_path, tmp_path):
    """Starts servers with the given batching parameters, and stops them."""
    servers = []

    def start(parameters, **options):
        file = tmp_path / "batching.txt"
        file.write_text(parameters)
        config = ServerConfig(
            model_name="m",
            model_base_path=base_path,
            file_system_poll_wait_seconds=0,
            enable_batching=True,
            batching_parameters_file=file,
            max_num_load_retries=0,
            drain_seconds=1,
            **options,
        )
        server = ModelServer(config)
        servers.append(server)
        server.start()
        return Caller(server)

    yield start
    for server in servers:
        server.stop()


class Caller:
    """Asks a server over both protocols, from threads where wanted."""

    def __init__(self, server):
        self.server = server
        self.pool = ThreadPoolExecutor(8)

    def rest(self, instances, signature="serving_default"):
        url = f"http://127.0.0.1:{self.server.rest_port}/v1/models/m:predict"
        body = {"signature_name": signature, "instances": instances}
        return httpx.post(url, json=body, timeout=PATIENCE_SECONDS, trust_env=False)

    def grpc(self, inputs, signature="serving_default", timeout=PATIENCE_SECONDS):
        with GrpcClient(f"127.0.0.1:{self.server.grpc_port}", "m", timeout, ONCE) as client:
            return client.predict_raw(inputs, signature)

    def rest_rows(self, *values):
        response = self.rest(list(values))
        assert response.status_code == 200, response.text
        return [(row["rows"], row["x"]) for row in response.json()["predictions"]]

    def grpc_rows(self, *values):
        outputs = self.grpc({"x": np.array(values, np.float32)})
        return list(zip(outputs["rows"].tolist(), outputs["x"].tolist(), strict=True))


def test_requests_of_both_protocols_share_a_batch(start):
    caller = start(f"max_batch_size {{ value: 6 }} {NEVER}")
    asking = [
        caller.pool.submit(ask, *values)
        for ask, values in (
            (caller.rest_rows, (1, 2)),
            (caller.grpc_rows, (3,)),
            (caller.rest_rows, (4,)),
            (caller.grpc_rows, (5, 6)),
        )
    ]
    answers = [future.result(PATIENCE_SECONDS) for future in asking]
    assert answers == [[(6, 1), (6, 2)], [(6, 3)], [(6, 4)], [(6, 5), (6, 6)]]


def test_request_the_model_fails_on_does_not_fail_those_in_its_batch(start):
    caller = start(f"max_batch_size {{ value: 3 }} {NEVER}")
    good = caller.pool.submit(caller.rest, ["1.5"], "to_number")
    other = caller.pool.submit(caller.grpc, {"text": np.array([b"2.5"], object)}, "to_number")
    bad = caller.pool.submit(caller.rest, ["horse"], "to_number")
    assert good.result().json()["predictions"] == [{"number": 1.5, "rows": 1}]
    assert other.result()["number"].tolist() == [2.5]
    assert bad.result().status_code == 400
    assert "could not correctly convert string: horse" in bad.result().json()["error"]


def test_full_queue_is_503_and_unavailable(start):
    caller = start(f"max_batch_size {{ value: 2 }} max_enqueued_batches {{ value: 1 }} {NEVER}")
    waiting = caller.pool.submit(caller.rest_rows, 1)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (response := caller.rest([8, 9])).status_code == 200:
        assert time.monotonic() < deadline, "the first request never came to the queue"
        if waiting.done():  # These two had filled the queue when it came.
            waiting = caller.pool.submit(caller.rest_rows, 1)
    assert response.status_code == 503
    message = (
        "The batch scheduling queue to which this task was submitted is full; currently 1 batches "
        "enqueued and max_enqueued_batches is 1"
    )
    assert response.json() == {"error": message}
    with pytest.raises(UnavailableError, match="to which this task was submitted is full"):
        caller.grpc({"x": np.zeros(2, np.float32)})
    assert caller.grpc_rows(2) == [(2, 2)]
    assert waiting.result() == [(2, 1)]


def test_request_that_is_too_large_is_400(start):
    caller = start("max_batch_size { value: 2 }")
    response = caller.rest([1, 2, 3])
    assert response.status_code == 400
    assert response.json()["error"] == "Task size 3 is larger than maximum input batch size 2"
    with pytest.raises(RequestError, match="Task size 3 is larger"):
        caller.grpc({"x": np.zeros(3, np.float32)})


def test_request_that_nobody_waits_for_any_more_is_left_out(start):
    caller = start(f"max_batch_size {{ value: 3 }} {NEVER}", rest_api_timeout_in_ms=200)
    assert caller.rest([1]).status_code == 504
    with pytest.raises(DeadlineError):
        caller.grpc({"x": np.zeros(1, np.float32)}, timeout=0.2)
    assert caller.grpc_rows(5) == [(1, 5)]


def test_batch_is_padded_to_an_allowed_size(start):
    caller = start("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8")
    assert caller.rest_rows(1, 2, 3) == [(4, 1), (4, 2), (4, 3)]


def test_large_request_is_computed_in_parts(start):
    caller = start(
        "max_batch_size { value: 8 } enable_large_batch_splitting { value: true } "
        "max_execution_batch_size { value: 3 }"
    )
    assert [x for _, x in caller.grpc_rows(*range(8))] == list(range(8))
    assert {rows for rows, _ in caller.rest_rows(*range(6))} == {3}


def test_parameters_of_a_version(start, base_path):
    file = base_path / "1" / VERSION_FILE
    file.write_text("max_batch_size { value: 2 }")
    try:
        caller = start("max_batch_size { value: 9 }", enable_per_model_batching_parameters=True)
        assert "maximum input batch size 2" in caller.rest([1, 2, 3]).json()["error"]
        file.write_text("max_batch_size { value: 0 }")
        caller = start("", enable_per_model_batching_parameters=True)
        with pytest.raises(NotAvailableError, match=f"{VERSION_FILE}: max_batch_size=0"):
            caller.server.wait_until_available(timeout_seconds=0)
        file.unlink()
        caller = start("max_batch_size { value: 2 }", enable_per_model_batching_parameters=True)
        assert len(caller.rest_rows(1, 2, 3)) == 3, "a version without parameters is not batched"
    finally:
        file.unlink(missing_ok=True)


def test_bad_parameters_are_one_line_before_tensorflow_is_imported(tmp_path):
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 0 }")
    script = """
import sys
from darkroom.serving.model_server.__main__ import main
code = main(sys.argv[1:])
assert "tensorflow" not in sys.modules
sys.exit(code)
"""
    arguments = [
        f"--model_base_path={tmp_path}", "--port=0", "--enable_batching",
        f"--batching_parameters_file={file}",
    ]  # fmt: skip
    process = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 1
    assert process.stderr == (
        f"model_server: {file}: max_batch_size=0: input should be greater than or equal to 1\n"
    )

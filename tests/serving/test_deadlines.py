"""A model stops computing for a request whose time is over, and its thread is free for others."""

import time

import grpc
import httpx
import numpy as np
import pytest

from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.serving.protos.tensors import fill_tensor
from darkroom.tests.serving.conformance.test_grpc import create
from darkroom.tests.serving.saved_models import save_zoo

ENDLESS = 10**12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    save_zoo(folder / "1")
    return folder


@pytest.fixture(params=["one by one", "batched"])
def options(request, folder, tmp_path):
    """One thread computes, so that one endless request would keep all others out."""
    if request.param == "one by one":
        return {"model_base_path": folder}
    parameters = tmp_path / "batching.txt"
    parameters.write_text("num_batch_threads { value: 1 } batch_timeout_micros { value: 0 }")
    return {
        "model_base_path": folder,
        "enable_batching": True,
        "batching_parameters_file": parameters,
    }


def spin(call, steps, timeout):
    request = create("PredictRequest", "default", "spin")
    fill_tensor(request.inputs["steps"], np.array([steps]))
    return call(request, timeout=timeout)


def test_deadline_of_a_grpc_call(options):
    config = ServerConfig(**options, rest_port=None, grpc_max_threads=1)
    with ModelServer(config) as server:
        address = f"127.0.0.1:{server.grpc_port}"
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(
                "/tensorflow.serving.PredictionService/Predict",
                request_serializer=lambda message: message.SerializeToString(),
            )
            with pytest.raises(grpc.RpcError) as caught:
                spin(call, ENDLESS, 0.5)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert spin(call, 1, 20)


def test_time_limit_of_rest(options):
    config = ServerConfig(
        **options, grpc_port=None, rest_api_num_threads=1, rest_api_timeout_in_ms=500
    )
    with ModelServer(config) as server:
        url = f"http://127.0.0.1:{server.rest_port}/v1/models/default:predict"

        def ask(steps):
            body = {"signature_name": "spin", "inputs": [steps]}
            return httpx.post(url, json=body, timeout=20).status_code

        assert ask(ENDLESS) == 504
        # The thread may take a moment to stop; a second request must not wait for all of it.
        deadline = time.monotonic() + 20
        while (status := ask(1)) != 200 and time.monotonic() < deadline:
            pass
        assert status == 200

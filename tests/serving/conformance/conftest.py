"""Which server the suite asks.

SERVING_ADDR=HOST:GRPC_PORT,HOST:REST_PORT asks a running server that serves what `write_models`
has written; without it, an embedded server is started on the same. SERVING_MODEL names the model
whose answers for images are checked; without it, it is the one written.
"""

import os
import time
from typing import NamedTuple

import httpx
import pytest

from darkroom.serving.client import ClientError, GrpcClient, RestClient, Target
from darkroom.serving.model_server import ModelServer, ServerConfig
from darkroom.tests.serving.conformance.write_models import (
    HALF_PLUS_TWO,
    LABELS,
    VERSIONS,
    ZOO,
    write_models,
)

START_SECONDS = 120


class Addresses(NamedTuple):
    grpc: str
    rest: str


def read_addresses(text):
    grpc, comma, rest = text.partition(",")
    if not comma or ":" not in grpc or ":" not in rest:
        raise pytest.UsageError(f"SERVING_ADDR is {text!r}; use HOST:GRPC_PORT,HOST:REST_PORT")
    return Addresses(grpc, f"http://{rest}")


@pytest.fixture(scope="package")
def addresses(tmp_path_factory):
    given = os.environ.get("SERVING_ADDR")
    if given:
        yield _wait_until_available(read_addresses(given))
        return
    config = ServerConfig(
        model_config_file=write_models(tmp_path_factory.mktemp("conformance")),
        allow_version_labels_for_unavailable_models=True,
    )
    with ModelServer(config) as server:
        yield _wait_until_available(
            Addresses(f"127.0.0.1:{server.grpc_port}", f"http://127.0.0.1:{server.rest_port}")
        )


def _wait_until_available(addresses):
    """Returns the addresses once everything is served that the suite asks for."""
    wanted = [Target(ZOO), Target(HALF_PLUS_TWO), *(Target(VERSIONS, n) for n in LABELS.values())]
    deadline = time.monotonic() + START_SECONDS
    for target in wanted:
        while not _is_available(addresses, target):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{target} is not AVAILABLE at {addresses}")
            time.sleep(0.1)
    return addresses


def _is_available(addresses, target):
    with RestClient(addresses.rest, target) as client:
        try:
            return any(status.state == "AVAILABLE" for status in client.get_status())
        except ClientError:
            return False


@pytest.fixture(scope="package")
def http(addresses):
    with httpx.Client(base_url=addresses.rest, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="package")
def create(addresses):
    """Makes a client of a protocol for a model; closes it in the end."""
    clients = []

    def make(protocol, target):
        kind = {"rest": RestClient, "grpc": GrpcClient}[protocol]
        clients.append(kind(getattr(addresses, protocol), target))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(params=["rest", "grpc"])
def ask(request, create):
    """Makes a client of each protocol."""
    return lambda target: create(request.param, target)


@pytest.fixture
def call(addresses):
    """Calls a gRPC method; returns its answer."""
    import grpc

    from darkroom.serving import protos

    def message_class(name):
        return protos.message_class(f"tensorflow.serving.{name}")

    with grpc.insecure_channel(addresses.grpc) as channel:

        def run(path, request, response_name):
            method = channel.unary_unary(
                f"/tensorflow.serving.{path}",
                request_serializer=type(request).SerializeToString,
                response_deserializer=message_class(response_name).FromString,
            )
            return method(request, timeout=30)

        yield run

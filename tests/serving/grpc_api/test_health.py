"""gRPC's health and reflection services, as its clients use them."""

import threading
import time

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import (
    reflection_pb2,
    reflection_pb2_grpc,
)

from darkroom.serving.model_server.core import ServerCore
from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.models.statuses import State
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.tests.serving.grpc_api.grpc_servers import open_channel, predict, run_server
from darkroom.tests.serving.models.fakes import create_config

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.fixture
def server(tmp_path):
    with run_server(
        tmp_path,
        enable_grpc_healthcheck_service=True,
        enable_grpc_reflection=True,
        grpc_socket_path=tmp_path / "s",
    ) as running:
        yield running


@pytest.fixture
def channel(server):
    with open_channel(server.address) as opened:
        yield opened


def check(channel, service=""):
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status


def watch(channel, service=""):
    stub = health_pb2_grpc.HealthStub(channel)
    return stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=30)


@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_services_that_tensorflow_serving_names_are_serving(channel, service):
    assert check(channel, service) == SERVING


def test_unknown_service(channel):
    with pytest.raises(grpc.RpcError) as caught:
        check(channel, "tensorflow.serving.PredictionService")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert next(watch(channel, "nope")).status == SERVICE_UNKNOWN


def test_health_over_the_unix_socket(server, tmp_path):
    with open_channel(f"unix:{tmp_path / 's'}") as channel:
        assert check(channel) == SERVING


@pytest.mark.parametrize("service", ["grpc.health.v1.Health", "grpc.reflection.v1alpha"])
def test_services_are_served_only_where_asked_for(tmp_path, service):
    with run_server(tmp_path) as running, open_channel(running.address) as channel:
        for ask in (lambda: check(channel), lambda: list_services(channel)):
            with pytest.raises(grpc.RpcError) as caught:
                ask()
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_watching_clients_see_the_stop_and_do_not_hold_it_up(server, channel):
    watchers = [watch(channel) for _ in range(3)]
    assert [next(watcher).status for watcher in watchers] == [SERVING] * 3
    watchers.pop().cancel()
    started = time.monotonic()
    stopped = server.begin_stop(drain_seconds=20)
    assert [[answer.status for answer in watcher] for watcher in watchers] == [[NOT_SERVING]] * 2
    stopped.result(10)
    assert time.monotonic() - started < 5


def wait_for_call(server):
    deadline = time.monotonic() + 10
    while server.records.begun == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_stopping_server_is_not_serving_and_answers_what_is_in_flight(server, channel):
    answers = []
    caller = threading.Thread(
        target=lambda: answers.append(predict(channel, b"late", "slow")), daemon=True
    )
    caller.start()
    wait_for_call(server)
    stopped = server.begin_stop(drain_seconds=20)
    time.sleep(0.3)
    with open_channel(server.address) as other, pytest.raises(grpc.RpcError) as caught:
        predict(other, timeout=2)
    assert caught.value.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
    assert not stopped.done()
    server.release()
    caller.join(10)
    assert answers == [b"late"]
    stopped.result(10)


def test_stop_does_not_wait_for_ever(server, channel):
    errors = []

    def ask():
        with pytest.raises(grpc.RpcError) as caught:
            predict(channel, b"late", "slow")
        errors.append(caught.value.code())

    caller = threading.Thread(target=ask, daemon=True)
    caller.start()
    wait_for_call(server)
    started = time.monotonic()
    server.begin_stop(drain_seconds=0.3).result(10)
    caller.join(10)
    assert 0.2 < time.monotonic() - started < 5
    assert errors in ([grpc.StatusCode.UNAVAILABLE], [grpc.StatusCode.CANCELLED])
    assert [record.code for record in server.records.all] == [Code.CANCELLED]


class Core(ServerCore):
    """Models of the states that a test wants."""

    def __init__(self, states):
        super().__init__(None, create_config(), Metrics())
        self.states = states

    def list_models(self):
        return list(self.states)

    def list_states(self):
        return [(name, 1, state.name) for name, state in self.states.items() if state is not None]


def test_server_is_ready_once_every_model_is_available():
    core = Core({"a": State.AVAILABLE, "b": None})
    assert not core.is_ready()
    core.states["b"] = State.LOADING
    assert not core.is_ready()
    core.states["b"] = State.AVAILABLE
    assert core.is_ready()
    core.states["c"] = State.LOADING
    assert core.is_ready()
    core.begin_stop()
    assert not core.is_ready()


def test_server_without_models_is_ready():
    assert Core({}).is_ready()


def list_services(channel):
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = reflect(channel, request)
    return [service.name for service in answer.list_services_response.service]


def reflect(channel, request):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=10)
    return answer


def test_reflection_lists_the_services(channel):
    assert list_services(channel) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "tensorflow.serving.ModelService",
        "tensorflow.serving.PredictionService",
    ]


def test_reflection_describes_a_service_and_all_that_it_needs(channel):
    symbol = "tensorflow.serving.PredictionService"
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    waiting, seen = [reflect(channel, request)], {}
    while waiting:
        for content in waiting.pop().file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(content)
            seen[file.name] = file
            for name in set(file.dependency) - seen.keys():
                request = reflection_pb2.ServerReflectionRequest(file_by_filename=name)
                waiting.append(reflect(channel, request))
    (service,) = seen["tensorflow_serving/apis/prediction_service.proto"].service
    assert "Predict" in [method.name for method in service.method]
    assert "tensorflow/core/framework/tensor.proto" in seen


def test_open_reflection_stream_does_not_hold_up_the_stop(server, channel):
    done = threading.Event()

    def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        done.wait(30)

    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    stream = stub.ServerReflectionInfo(requests(), timeout=30)
    assert next(stream).list_services_response.service
    started = time.monotonic()
    server.begin_stop(drain_seconds=20).result(15)
    assert time.monotonic() - started < 5
    done.set()

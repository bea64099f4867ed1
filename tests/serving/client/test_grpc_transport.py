"""The gRPC client against a server that answers by a script."""

import threading
import time

import grpc
import pytest

from darkroom.serving.client import (
    ClosedError,
    DeadlineError,
    GrpcClient,
    RequestError,
    RetryPolicy,
    UnavailableError,
)
from darkroom.tests.serving.client.doubles import ScriptedGrpcServer, message

QUICK = RetryPolicy(attempts=3, first_delay_seconds=0.001)
OK = message("GetModelStatusResponse")
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def ask(*script, timeout=10, **options):
    """Asks for the status once; returns the server, which has seen the requests."""
    with (
        ScriptedGrpcServer(*script) as server,
        GrpcClient(server.address, "m", timeout, QUICK, **options) as client,
    ):
        assert client.get_status() == []
    return server


def test_unavailable_server_is_asked_again():
    assert len(ask(UNAVAILABLE, UNAVAILABLE, OK).requests) == 3


def test_server_that_stays_unavailable_is_reported_with_its_words():
    with pytest.raises(UnavailableError, match=r"127.0.0.1:\d+: says the script \(UNAVAILABLE\)"):
        ask(UNAVAILABLE)


def test_exhausted_server_is_asked_again_only_if_it_says_when():
    assert len(ask((EXHAUSTED, (("grpc-retry-pushback-ms", "1"),)), OK).requests) == 2
    with pytest.raises(RequestError) as caught:
        ask(EXHAUSTED, OK)
    assert (caught.value.code, caught.value.message) == ("RESOURCE_EXHAUSTED", "says the script")


def test_pushback_is_heeded():
    with pytest.raises(UnavailableError) as caught:
        ask((UNAVAILABLE, (("grpc-retry-pushback-ms", "100000"),)), OK)
    assert caught.value.retry_after_seconds == 100


@pytest.mark.parametrize("name", ["INVALID_ARGUMENT", "NOT_FOUND", "INTERNAL", "UNIMPLEMENTED"])
def test_refusal_is_not_tried_again(name):
    script = ScriptedGrpcServer(grpc.StatusCode[name], OK)
    with script as server, GrpcClient(server.address, "m", retry=QUICK) as client:
        with pytest.raises(RequestError, match=rf"says the script \({name}\)"):
            client.get_status()
        assert len(server.requests) == 1


def sleep_and_answer(request):
    time.sleep(5)
    return OK


def test_silent_server_is_waited_for_until_the_deadline_and_not_again():
    started = time.monotonic()
    with pytest.raises(DeadlineError, match=r"no answer within 0\.2 s"):
        ask(sleep_and_answer, timeout=0.2)
    assert time.monotonic() - started < 3


def test_closing_ends_what_is_under_way():
    failures = []

    def ask_and_record(client):
        try:
            client.get_status()
        except Exception as error:
            failures.append(type(error))

    with ScriptedGrpcServer(sleep_and_answer) as server:
        client = GrpcClient(server.address, "m", 20)
        busy = threading.Thread(target=ask_and_record, args=(client,))
        busy.start()
        while not server.requests:
            time.sleep(0.01)
        client.close()
        busy.join(2)
        assert not busy.is_alive() and failures == [ClosedError]
        with pytest.raises(ClosedError, match="the client is closed"):
            client.get_status()


def test_headers_are_sent_as_metadata():
    server = ask(OK, headers={"Authorization": "Bearer x", "x-request-id": "7"})
    assert server.metadata[0].items() >= {"authorization": "Bearer x", "x-request-id": "7"}.items()


def test_compressed_messages_arrive():
    assert len(ask(OK, compress=True).requests) == 1


def test_unix_socket(tmp_path):
    address = f"unix:{tmp_path / 's.sock'}"
    with ScriptedGrpcServer(OK, address=address), GrpcClient(address, "m") as client:
        assert client.get_status() == []


def test_message_that_is_larger_than_grpcs_default():
    answer = message("PredictResponse")
    answer.outputs["y"].dtype = 7
    answer.outputs["y"].string_val.append(b"y" * 5_000_000)
    answer.outputs["y"].tensor_shape.dim.add().size = 1
    with ScriptedGrpcServer(answer) as server, GrpcClient(server.address, "m") as client:
        assert len(client.predict_raw({"x": [b"x"]})["y"][0]) == 5_000_000


def test_examples_as_messages():
    expected = message("ClassificationRequest")
    expected.model_spec.name, expected.model_spec.signature_name = "m", "sig"
    features = expected.input.example_list.examples.add().features.feature
    features["f"].float_list.value.extend([0.5, 2])
    features["i"].int64_list.value.append(3)
    features["b"].int64_list.value.append(1)
    features["s"].bytes_list.value.append("é".encode())
    features["raw"].bytes_list.value.append(b"\xff\x00")
    features["none"].SetInParent()
    answer = message("ClassificationResponse")
    classes = answer.result.classifications.add().classes
    classes.add(label="cat", score=0.25)
    classes.add(score=1)
    example = {"f": [0.5, 2], "i": 3, "b": True, "s": "é", "raw": b"\xff\x00", "none": []}
    with ScriptedGrpcServer(answer) as server, GrpcClient(server.address, "m") as client:
        assert client.classify([example], "sig") == [[("cat", 0.25), ("", 1.0)]]
        (request,) = server.requests
    assert type(expected).FromString(request) == expected


def test_examples_with_a_context():
    answer = message("RegressionResponse")
    answer.result.regressions.add(value=1.5)
    with ScriptedGrpcServer(answer) as server, GrpcClient(server.address, "m") as client:
        assert client.regress([{"x": 1.0}], context={"c": [2, 3]}) == [1.5]
        request = message("RegressionRequest").FromString(server.requests[0])
    examples = request.input.example_list_with_context
    assert list(examples.context.features.feature["c"].int64_list.value) == [2, 3]
    assert list(examples.examples[0].features.feature["x"].float_list.value) == [1.0]


@pytest.mark.parametrize("value", [[[1.0]], [None], {"a": 1}, [1, "x", object()], 1j])
def test_feature_that_no_example_can_have(value):
    with GrpcClient("127.0.0.1:1", "m") as client, pytest.raises(ValueError, match="feature 'x'"):
        client.classify([{"x": value}])

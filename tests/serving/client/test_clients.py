"""The clients against a running server."""

import socket

import numpy as np
import pytest

from serving.client import (
    AnswerError,
    ClientError,
    DeadlineError,
    GrpcClient,
    RequestError,
    RestClient,
    RetryPolicy,
    Target,
    UnavailableError,
)
from serving.client.prediction import read_predictions
from serving.client.retry import call_with_retries

IMAGES = [b"hello", b"broken", b"\x89PNG\r\n\x00\x00", "é".encode()]
QUICK = RetryPolicy(attempts=2, first_delay_seconds=0.01)


@pytest.fixture(scope="module")
def rest(rest_url):
    with RestClient(rest_url, "zoo") as client:
        yield client


@pytest.fixture(scope="module")
def grpc(grpc_address):
    with GrpcClient(grpc_address, "zoo") as client:
        yield client


@pytest.fixture(params=["rest", "grpc"])
def client(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["rest", "grpc"])
def create(request, rest_url, grpc_address):
    """Makes a client of either protocol for any model."""
    make, address = {"rest": (RestClient, rest_url), "grpc": (GrpcClient, grpc_address)}[
        request.param
    ]
    return lambda target, **options: make(address, target, **options)


@pytest.fixture
def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_predictions(client):
    good, broken, *_ = client.predict(IMAGES)
    assert good.valid and list(good.probabilities) == ["cat", "dog", "emu"]
    assert sum(good.probabilities.values()) == pytest.approx(1)
    assert good.top(1) == [(good.label, good.score)]
    assert [score for _, score in good.top(5)] == sorted(good.probabilities.values())[::-1]
    assert (broken.valid, broken.label, broken.score) == (False, "", 0.0)
    assert set(broken.probabilities.values()) == {0.0}


def test_both_protocols_say_the_same(rest, grpc):
    assert rest.predict(IMAGES) == grpc.predict(IMAGES)


def test_no_images(client):
    assert client.predict([]) == []


def test_raw_call(client):
    inputs = {"x": np.array([1, 2], np.float32), "y": np.array([0.5, 0.25], np.float32)}
    outputs = client.predict_raw(inputs, "add")
    assert {name: array.tolist() for name, array in outputs.items()} == {"z": [1.5, 2.25]}


def test_raw_call_keeps_trailing_zeros_of_bytes(client):
    outputs = client.predict_raw({"image_bytes": [b"a\x00", b""]}, "echo")
    assert outputs["data_bytes"].tolist() == [b"a\x00", b""]
    assert outputs["size"].tolist() == [2, 0]


def test_output_filter(grpc):
    outputs = grpc.predict_raw({"image_bytes": [b"a"]}, "echo", output_filter=["size"])
    assert list(outputs) == ["size"]


def test_status(client):
    (status,) = client.get_status()
    assert (status.version, status.state, status.error_code) == (3, "AVAILABLE", "OK")


def test_metadata(rest, grpc):
    assert set(rest.get_metadata()["add"]["inputs"]) == {"x", "y"}
    assert set(grpc.get_metadata()["add"].inputs) == {"x", "y"}


def test_version_and_label(create):
    with create(Target("zoo", version=3)) as client:
        assert len(client.predict([b"x"])) == 1
    with create(Target("zoo", version=4)) as client, pytest.raises(RequestError) as caught:
        client.predict([b"x"])
    assert caught.value.message == "Servable not found for request: Specific(zoo, 4)"
    assert caught.value.code in ("HTTP 404", "NOT_FOUND")
    with create(Target("zoo", label="canary")) as client, pytest.raises(RequestError) as caught:
        client.predict([b"x"])
    assert caught.value.message == "Unrecognized servable version label: canary"


@pytest.mark.parametrize("target", [("",), ("m", 1, "canary")])
def test_target_is_checked(target):
    with pytest.raises(ValueError, match=r"empty|both given"):
        Target(*target)


def test_answer_of_another_kind_of_model():
    with pytest.raises(AnswerError, match="has no label, score, probabilities, classes, valid"):
        read_predictions({"z": [1]}, 1)
    row = {"label": ["a"], "score": [1], "probabilities": [[1]], "classes": [["a"]]}
    with pytest.raises(AnswerError, match="not for 2 images"):
        read_predictions({**row, "valid": [True]}, 2)
    with pytest.raises(AnswerError, match="2 classes and 1 probabilities"):
        read_predictions({**row, "classes": [["a", "b"]], "valid": [True]}, 1)


def test_something_that_is_no_model_server(rest_url):
    client = RestClient(rest_url + "/elsewhere", "zoo", retry=QUICK)
    with client, pytest.raises(RequestError, match=r"Not Found.*\(HTTP 404\)"):
        client.get_status()


# --- retries ---------------------------------------------------------------------------------


def test_server_that_is_not_there(closed_port):
    address = f"127.0.0.1:{closed_port}"
    rest = RestClient(f"http://{address}", "zoo", retry=QUICK)
    with rest, pytest.raises(UnavailableError, match=address):
        rest.predict([b"x"])
    grpc = GrpcClient(address, "zoo", retry=QUICK)
    with grpc, pytest.raises(UnavailableError, match=address):
        grpc.predict([b"x"])


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "http://[::1", "ftp://127.0.0.1"])
def test_url_that_is_none(url):
    with RestClient(url, "zoo", retry=QUICK) as client, pytest.raises(ClientError):
        client.predict([b"x"])


def test_retries_end_with_success():
    tries = []

    def attempt(seconds):
        tries.append(seconds)
        if len(tries) < 3:
            raise UnavailableError("not yet")
        return "answer"

    assert call_with_retries(attempt, 10, RetryPolicy(3, 0.001)) == "answer"
    assert 10 >= tries[0] > tries[1] > tries[2] > 9


def test_retries_stay_within_the_deadline():
    def attempt(seconds):
        raise UnavailableError("never")

    with pytest.raises(UnavailableError):
        call_with_retries(attempt, 0.05, RetryPolicy(1000, 0.02))
    with pytest.raises(DeadlineError):
        call_with_retries(attempt, 0, RetryPolicy())


def test_other_errors_are_not_retried():
    tries = []

    def attempt(seconds):
        tries.append(seconds)
        raise RequestError("INVALID_ARGUMENT", "no")

    with pytest.raises(RequestError):
        call_with_retries(attempt, 10, RetryPolicy(5, 0))
    assert len(tries) == 1


@pytest.mark.parametrize("options", [{"attempts": 0}, {"first_delay_seconds": -1}])
def test_retry_policy_is_checked(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        RetryPolicy(**options)

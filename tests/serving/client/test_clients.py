"""The clients against a running server."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from darkroom.serving.client import (
    AnswerError,
    GrpcClient,
    RequestError,
    RestClient,
    RetryPolicy,
    Signature,
    Target,
    TensorSpec,
    UnavailableError,
)
from darkroom.serving.client.addresses import parse_url
from darkroom.serving.client.headers import read_headers
from darkroom.serving.client.prediction import read_predictions
from darkroom.tests.serving.client.doubles import ScriptedHttpServer, http_answer

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


def test_answer_of_another_kind_of_model_names_the_server():
    answer = http_answer(200, b'{"outputs": {"y": [1], "z": [2]}}')
    with (
        ScriptedHttpServer(answer) as server,
        RestClient(server.url, "m") as client,
        pytest.raises(AnswerError, match=f"^{server.url}: the answer has no label, .* model"),
    ):
        client.predict([b"x"])


def test_something_that_is_no_model_server(rest_url):
    client = RestClient(rest_url + "/elsewhere", "zoo", retry=QUICK)
    with client, pytest.raises(RequestError, match=r"Not Found.*\(HTTP 404\)"):
        client.get_status()


def test_server_that_is_not_there(closed_port):
    address = f"127.0.0.1:{closed_port}"
    rest = RestClient(f"http://{address}", "zoo", retry=QUICK)
    with rest, pytest.raises(UnavailableError, match=address):
        rest.predict([b"x"])
    grpc = GrpcClient(address, "zoo", retry=QUICK)
    with grpc, pytest.raises(UnavailableError, match=address):
        grpc.predict([b"x"])


def test_host_that_is_not_there():
    client = RestClient("http://nowhere.invalid", "zoo", retry=QUICK)
    with client, pytest.raises(UnavailableError, match=r"http://nowhere.invalid: no such host"):
        client.predict([b"x"])


def test_signatures_are_the_same_over_both_protocols(rest, grpc):
    signatures = rest.get_signatures()
    assert signatures == grpc.get_signatures()
    assert signatures["add"] == Signature(
        "tensorflow/serving/predict",
        inputs={"x": TensorSpec("float", (None,)), "y": TensorSpec("float", (None,))},
        outputs={"z": TensorSpec("float", (None,))},
    )
    assert signatures["kinds"].inputs["n"] == TensorSpec("int64", ())
    assert signatures["half_plus_two"].inputs["x"].shape is None


# --- many images ---------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_many_images_are_answered_in_their_order(client, batch_size, concurrency):
    images = [b"x" * index for index in range(20)]
    answers = client.predict_many(iter(images), batch_size, concurrency)
    for answer, expected in zip(answers, client.predict(images), strict=True):
        assert answer.label == expected.label
        # The size of the batch may change the last bit.
        assert answer.probabilities == pytest.approx(expected.probabilities, abs=1e-6)


def test_many_images_are_not_all_held_at_once(client):
    taken = []

    def generate():
        for index in range(100):
            taken.append(index)
            yield b"x"

    predictions = client.predict_many(generate(), batch_size=5, concurrency=2)
    for given, _ in enumerate(predictions, start=1):
        assert len(taken) <= given + 2 * 2 * 5
    assert len(taken) == given == 100


def test_first_answer_does_not_wait_for_the_last_image(client):
    def generate():
        yield b"x"
        yield b"y"
        assert answers, "the first image must be answered before the third is asked for"
        yield b"z"

    answers = []
    for prediction in client.predict_many(_slowly(generate()), batch_size=1, concurrency=1):
        answers.append(prediction)
    assert len(answers) == 3


def _slowly(items):
    for item in items:
        yield item
        time.sleep(0.2)


def test_failure_among_many_is_raised_when_its_turn_comes(rest_url):
    with RestClient(rest_url, Target("zoo", version=9)) as client:
        predictions = client.predict_many([b"x"])
        with pytest.raises(RequestError, match="Specific"):
            next(predictions)


@pytest.mark.parametrize("numbers", [(0, 1), (1, 0)])
def test_numbers_for_many_images_are_checked(rest, numbers):
    with pytest.raises(ValueError, match="use 1 or more"):
        rest.predict_many([b"x"], *numbers)


def test_one_client_serves_many_threads(client):
    images = [[b"x" * index] for index in range(64)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.predict, images))
    assert answers == [client.predict(image) for image in images]


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8501", "http://[::1", "ftp://127.0.0.1", "http://", "http://a:x", "http://a/?b",
     "http://a/b c", "http://é", "http://a\r\nb"],
)  # fmt: skip
def test_url_that_is_none(url):
    with pytest.raises(ValueError, match="URL"):
        RestClient(url, "zoo")


def test_url_with_a_password_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="more than scheme") as caught:
        RestClient("http://me:secret@host", "zoo")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://host", "host:80", ""),
        ("https://host/a/b/", "host:443", "/a/b"),
        ("http://[::1]:8501", "[::1]:8501", ""),
    ],
)
def test_parts_of_a_url(url, authority, path):
    address = parse_url(url)
    assert (address.authority, address.path) == (authority, path)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8500", "localhost", "localhost:", ""])
def test_grpc_address_that_is_none(address):
    with pytest.raises(ValueError, match="gRPC takes HOST:PORT"):
        GrpcClient(address, "zoo")


@pytest.mark.parametrize(
    "headers",
    [{"a b": "c"}, {"": "c"}, {"a": "b\r\nc: d"}, {"a": "é"}, {"Host": "b"}, {"grpc-timeout": "1"}],
)
def test_header_that_is_none(headers):
    for make in (lambda: RestClient("http://a", "m", headers=headers),
                 lambda: GrpcClient("a:1", "m", headers=headers)):  # fmt: skip
        with pytest.raises(ValueError, match="header"):
            make()


def test_secret_in_a_header_is_not_shown():
    with pytest.raises(ValueError, match="authorization") as caught:
        RestClient("http://a", "m", headers={"authorization": "secret\n"})
    assert "secret" not in str(caught.value)


def test_headers_from_a_file(tmp_path):
    path = tmp_path / "headers"
    path.write_text("Authorization: Bearer a:b\n\nx-request-id:7\n")
    assert read_headers(path) == {"authorization": "Bearer a:b", "x-request-id": "7"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: b\nsecret\n", "line 2 of .*headers is not `name: value`"),
        (b"\xff", "not a text file"),
        (None, "cannot read .*headers: No such file"),
    ],
)
def test_file_that_has_no_headers(tmp_path, content, message):
    path = tmp_path / "headers"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_headers(path)

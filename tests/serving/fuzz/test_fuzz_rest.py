"""Whatever comes over REST is answered or refused, and the next request is answered."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from darkroom.tests.serving.fuzz import strategies
from darkroom.tests.serving.fuzz.strategies import times
from darkroom.tests.serving.fuzz.wire import request, send

PREDICT = "/v1/models/zoo:predict"
FRAMING = {"content-length", "transfer-encoding"}


@pytest.fixture(scope="module")
def port(server):
    return server.rest_port


@pytest.fixture(autouse=True)
def still_answers(port):
    yield
    body = b'{"signature_name": "add", "inputs": {"x": [1], "y": [2]}}'
    answer = request(port, "POST", PREDICT, body=body)
    assert (answer.status, json.loads(answer.body)) == (200, {"outputs": [3.0]})


@times(300)
@given(body=strategies.bodies, verb=st.sampled_from(["predict", "classify", "regress"]))
@example(body=b"[" * 1_000_000, verb="predict")
@example(body=b'{"instances": [' + b"1," * 200_000 + b"1e999]}", verb="predict")
@example(body=b'{"instances": ' + b"9" * 100_000 + b"}", verb="predict")
def test_any_body_is_answered_in_json(port, body, verb):
    answer = request(port, "POST", f"/v1/models/zoo:{verb}", body=body)
    answer.check()
    assert answer.content_type == "application/json"
    if answer.status == 200:
        json.loads(answer.body.decode("utf-8", "surrogateescape"))


@times(150)
@given(method=strategies.methods, path=strategies.paths(), body=strategies.written)
def test_any_path_and_method_is_answered(port, method, path, body):
    answer = request(port, method, path, body=body)
    answer.check()
    assert answer.status is not None
    if method == "POST" and path.startswith("/v1/") and answer.status != 200:
        assert answer.content_type == "application/json"
        assert answer.body


@times(150)
@given(headers=strategies.headers, body=strategies.bodies)
def test_any_headers_are_answered_or_the_connection_is_closed(port, headers, body):
    tampered = any(name.lower() in FRAMING for name, _ in headers)
    answer = request(port, "POST", PREDICT, headers, body, half_close=tampered)
    answer.check()
    assert tampered or answer.status is not None


@times(150)
@given(head=st.one_of(st.binary(max_size=200), strategies.damaged(
    st.just(b"POST /v1/models/zoo:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2")
)))  # fmt: skip
@example(head=b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000)
@example(head=b"PRI * HTTP/2.0\r\n\r\nSM")
def test_what_is_not_http_is_answered_or_the_connection_is_closed(port, head):
    send(port, head, b"{}", half_close=True).check()

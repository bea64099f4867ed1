"""What clients may not do to the HTTP server: too much, too slowly, or no HTTP at all."""

import contextlib
import select
import time

import pytest

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.rest.request_reader import MAX_HEAD_BYTES
from darkroom.tests.serving.rest.http_server import (
    BIG,
    BIG_BYTES,
    ECHO,
    SLOW,
    RawClient,
    chunked,
    get,
    post,
    run_server,
)

MAX_BYTES = 1_000_000
TOO_LARGE = f"Request body is larger than max_request_bytes={MAX_BYTES}"
SECONDS = 0.5


@pytest.fixture(scope="module")
def server():
    with run_server(max_request_bytes=MAX_BYTES) as running:
        yield running


@pytest.fixture(scope="module")
def impatient():
    with run_server(client_seconds=SECONDS) as running:
        yield running


@pytest.fixture
def client(server):
    with server.connect() as connected:
        yield connected
    assert server.is_alive()


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_body_of_just_the_limit(client):
    client.send(post(bytes(MAX_BYTES)))
    assert client.read().status == 200


@pytest.mark.parametrize("header", ["X: y", "Expect: 100-continue"])
def test_body_that_is_announced_too_large_is_refused_before_it_comes(client, header):
    head = post(bytes(MAX_BYTES + 1), ECHO, header).partition(b"\r\n\r\n")[0]
    client.send(head + b"\r\n\r\n")
    answer = client.read()
    assert (answer.status, answer.error) == (413, TOO_LARGE)
    assert answer.headers["connection"] == "close"


def test_client_that_sends_all_of_a_too_large_body_sees_the_refusal(client):
    client.send(post(bytes(30 * MAX_BYTES)))
    answer = client.read()
    assert (answer.status, answer.error) == (413, TOO_LARGE)
    assert client.read_rest() == b""


def test_chunked_body_is_refused_once_it_is_too_large(client):
    client.send(chunked(bytes(MAX_BYTES)))
    client.send(b"1\r\nx\r\n")
    answer = client.read()
    assert (answer.status, answer.error) == (413, TOO_LARGE)


@pytest.mark.parametrize(
    "sent",
    [
        get("/v1/x", "A: " + "a" * MAX_HEAD_BYTES),
        get("/v1/x", *(f"A{number}: a" for number in range(MAX_HEAD_BYTES // 3))),
        get("/" + "a" * MAX_HEAD_BYTES),
        b"GET /" + b"a" * 3 * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\nA: " + b"a" * 3 * MAX_HEAD_BYTES,
        b"\r\n" * 2 * MAX_HEAD_BYTES,
        chunked(b"x") + b"0\r\nT: " + b"a" * 3 * MAX_HEAD_BYTES,
        chunked(b"x") + b"1;" + b"e" * 3 * MAX_HEAD_BYTES,
    ],
    ids=[
        "header",
        "headers",
        "path",
        "endless path",
        "endless header",
        "blank",
        "trailer",
        "chunk",
    ],
)
def test_head_that_is_too_large(client, sent):
    for start in range(0, len(sent), 16_384):
        client.send(sent[start : start + 16_384])
    answer = client.read()
    assert answer.status == 431
    assert answer.error == f"Request line and headers are larger than {MAX_HEAD_BYTES} bytes"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET noslash HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ],
)
def test_what_is_no_http_is_refused(client, sent):
    client.send(sent)
    answer = client.read()
    assert answer.status == 400
    assert answer.error.startswith("Malformed HTTP request: ")
    assert answer.headers["connection"] == "close"
    assert client.read_rest() == b""


@pytest.mark.parametrize("length", range(1, 80, 6))
def test_client_that_goes_away_in_the_middle_of_a_request(client, length):
    client.send(post(b"x" * 30)[:length])


def test_client_that_goes_away_cancels_its_request(server):
    before = server.handler.cancelled
    with server.connect() as client:
        client.send(post(b"", SLOW))
        time.sleep(0.1)
    wait_for(lambda: server.handler.cancelled == before + 1)
    record = server.records.all[-1]
    assert (record.code, record.http_status) == (Code.CANCELLED, 499)
    assert server.is_alive()


def test_many_idle_connections_hold_nobody_up(server):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(200)]
        assert server.is_alive()
        for client in clients:
            client.send(post(b"x"))
        assert [client.read().status for client in clients] == [200] * 200


def test_request_is_read_no_further_while_one_is_worked_on(server):
    with server.connect() as client:
        client.socket.settimeout(1)
        client.send(post(b"", SLOW))
        time.sleep(0.1)
        with pytest.raises(TimeoutError):
            # Else a client might fill the memory of a server that is busy.
            for _ in range(200):
                client.send(post(bytes(500_000)))


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "blank line"])
def test_connection_over_which_no_request_comes_is_closed(impatient, sent):
    with impatient.connect() as client:
        client.send(sent)
        started = time.monotonic()
        assert client.read_rest() == b""
        assert SECONDS * 0.9 < time.monotonic() - started < SECONDS * 8


def test_connection_that_is_kept_too_long_is_closed(impatient):
    with impatient.connect() as client:
        client.send(post(b"x"))
        assert client.read().status == 200
        assert client.read_rest() == b""


@pytest.mark.parametrize("start", [b"POST /", post(b"x" * 90)[:20], post(b"x" * 90)[:-60]])
def test_request_that_comes_too_slowly_is_refused(impatient, start):
    started = time.monotonic()
    with impatient.connect() as client:
        client.send(start)
        while not select.select([client.socket], [], [], SECONDS / 10)[0]:
            client.send(b"a")
            assert time.monotonic() - started < SECONDS * 10
        answer = client.read()
    assert time.monotonic() - started > SECONDS * 0.9
    assert answer.status == 408
    assert answer.error == f"No whole request came within {SECONDS:g} seconds"


def test_answer_that_is_not_taken_is_given_up(impatient):
    with impatient.connect() as client:
        client.send(post(b"", BIG))
        time.sleep(SECONDS * 5)
        assert len(client.read_rest()) < BIG_BYTES
    assert impatient.is_alive()


def test_large_answer_arrives_whole(server):
    assert server.ask(post(b"", BIG)).body == bytes(BIG_BYTES)
    assert server.ask(post(b"", BIG, "Connection: close")).body == bytes(BIG_BYTES)


def test_client_that_waits_for_the_model_is_not_cut_off(impatient):
    with impatient.connect() as client:
        client.send(post(b"", SLOW))
        time.sleep(SECONDS * 4)
        impatient.release()
        assert client.read().status == 200


def test_request_that_takes_too_long_is_answered_and_the_connection_kept():
    with run_server(timeout_seconds=0.2) as running, running.connect() as client:
        client.send(post(b"", SLOW) + post(b"x"))
        answer = client.read()
        assert (answer.status, answer.error) == (504, "Timed out waiting for notification")
        assert client.read().status == 200
        assert running.handler.cancelled == 1
        codes = [record.code for record in running.records.all]
        assert codes == [Code.DEADLINE_EXCEEDED, Code.OK]


def test_no_time_limit_where_it_is_0():
    with run_server(client_seconds=0, timeout_seconds=None) as running, running.connect() as client:
        time.sleep(1.5)
        client.send(post(b"x"))
        assert client.read().status == 200


def test_each_request_is_observed_once(server):
    server.records.all.clear()
    server.ask(post(b"abc", ECHO, "X-Request-Id: r1"))
    server.ask(get("/v1/models/m/x"))
    server.ask(get("/nothing"))
    seen = [(r.api, r.code, r.http_status, r.request_bytes) for r in server.records.all]
    assert seen == [
        ("", Code.OK, 200, 3),
        ("", Code.INVALID_ARGUMENT, 400, 0),
        (None, Code.NOT_FOUND, 404, 0),
    ]
    first = server.records.all[0]
    assert first.request_id == "r1"
    assert first.peer.startswith("127.0.0.1:")
    assert first.response_bytes > 0


def test_port_is_given_back_with_connections_open():
    with run_server() as running:
        port = running.server.port
        client = running.connect()
    with client:
        assert client.read_rest() == b""
    with pytest.raises(ConnectionRefusedError):
        RawClient(port)

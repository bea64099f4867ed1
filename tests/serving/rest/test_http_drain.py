"""Stopping the HTTP server: who is still answered, and who is not."""

import time

import pytest

from darkroom.serving.model_server.errors import Code
from darkroom.tests.serving.rest.http_server import SLOW, RawClient, get, post, run_server


@pytest.fixture
def server():
    with run_server(drain_seconds=20) as running:
        yield running


def test_request_in_flight_is_answered_and_its_connection_closed(server):
    with server.connect() as busy, server.connect() as idle:
        busy.send(post(b"", SLOW))
        idle.send(post(b"x"))
        idle.read()
        time.sleep(0.1)
        stopped = server.begin_stop()
        assert idle.read_rest() == b""
        with pytest.raises(ConnectionRefusedError):
            RawClient(server.server.port)
        assert not stopped.done()
        server.release()
        answer = busy.read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert busy.read_rest() == b""
        stopped.result(10)


def test_request_that_has_begun_to_come_is_answered(server):
    with server.connect() as client:
        request = post(b"x" * 10)
        client.send(request[:-4])
        time.sleep(0.1)
        stopped = server.begin_stop()
        time.sleep(0.1)
        client.send(request[-4:])
        answer = client.read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        stopped.result(10)


def test_pipelined_requests_are_all_answered(server):
    with server.connect() as client:
        client.send(post(b"", SLOW) + get("/healthz") + get("/readyz"))
        time.sleep(0.1)
        stopped = server.begin_stop()
        server.ready[0] = False
        time.sleep(0.3)
        server.release()
        answers = [client.read() for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 503]
        assert [answer.headers.get("connection") for answer in answers] == [None, None, "close"]
        stopped.result(10)


def test_stop_does_not_wait_for_ever():
    with run_server(drain_seconds=1) as server, server.connect() as client:
        client.send(post(b"", SLOW))
        time.sleep(0.1)
        started = time.monotonic()
        server.begin_stop().result(10)
        assert 0.9 < time.monotonic() - started < 5
        answer = client.read()
        assert (answer.status, answer.error) == (503, "The server is stopping")
        assert client.read_rest() == b""
    assert server.handler.cancelled == 1
    assert [record.code for record in server.records.all] == [Code.UNAVAILABLE]

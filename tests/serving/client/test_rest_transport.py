"""The REST client against a server that answers by a script."""

import gzip
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from darkroom.serving.client import (
    AnswerError,
    ClosedError,
    DeadlineError,
    RequestError,
    RestClient,
    RetryPolicy,
    UnavailableError,
)
from darkroom.tests.serving.client.doubles import END, ScriptedHttpServer, http_answer

ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=3, first_delay_seconds=0.001)
STATUS = json.dumps({"model_version_status": []}).encode()
OK = http_answer(200, STATUS)


def ask(*script, retry=QUICK, timeout=10, **options):
    """Asks for the status once; returns the server, which has seen the requests."""
    with (
        ScriptedHttpServer(*script) as server,
        RestClient(server.url, "m", timeout, retry, **options) as client,
    ):
        assert client.get_status() == []
    return server


# --- what is tried again -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [502, 503])
def test_unavailable_server_is_asked_again(status):
    server = ask(http_answer(status, b'{"error": "full"}'), http_answer(status), OK)
    assert len(server.requests) == 3


def test_full_queue_that_stays_full_is_reported_with_its_words():
    with pytest.raises(UnavailableError, match=r"http://127.0.0.1:\d+: queue is full \(HTTP 503\)"):
        ask(http_answer(503, b'{"error": "queue is full"}'))


def test_connection_that_ends_before_the_answer_is_tried_again():
    assert ask(END, OK).connections == 2
    assert ask([OK[:-3], END], OK).connections == 2


def test_too_many_requests_is_tried_again_only_if_the_server_says_when():
    assert len(ask(http_answer(429, b"{}", "retry-after: 0"), OK).requests) == 2
    with pytest.raises(RequestError) as caught:
        ask(http_answer(429, b'{"error": "out of memory"}'), OK)
    assert (caught.value.code, caught.value.message) == ("HTTP 429", "out of memory")


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_heeded(form):
    later = datetime.now(timezone.utc) + timedelta(seconds=100)
    value = {"seconds": "100", "date": format_datetime(later, usegmt=True)}[form]
    with pytest.raises(UnavailableError) as caught:
        ask(http_answer(503, b"{}", f"Retry-After: {value}"), OK)
    assert caught.value.retry_after_seconds == pytest.approx(100, abs=3)


def test_retry_after_that_says_nothing_is_ignored():
    assert len(ask(http_answer(503, b"{}", "retry-after: soon"), OK).requests) == 2


@pytest.mark.parametrize("status", [400, 404, 413, 500])
def test_refusal_is_not_tried_again(status):
    script = ScriptedHttpServer(http_answer(status, b'{"error": "no"}'), OK)
    with script as server, RestClient(server.url, "m", retry=QUICK) as client:
        with pytest.raises(RequestError, match=rf"no \(HTTP {status}\)"):
            client.get_status()
        assert len(server.requests) == 1


def test_timeout_of_the_server_is_a_deadline():
    with pytest.raises(DeadlineError, match="Timed out"):
        ask(http_answer(504, b'{"error": "Timed out waiting for notification"}'))


# --- deadlines -----------------------------------------------------------------------------------


def test_silent_server_is_waited_for_until_the_deadline_and_not_again():
    started = time.monotonic()
    with pytest.raises(DeadlineError, match=r"no answer within 0\.2 s"):
        ask([5, OK], timeout=0.2)
    assert 0.2 <= time.monotonic() - started < 2


def test_server_that_answers_in_drops_does_not_stretch_the_deadline():
    drops = [part for index in range(0, len(OK), 4) for part in (OK[index : index + 4], 0.1)]
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        ask(drops, timeout=0.35)
    assert time.monotonic() - started < 0.6


def test_deadline_holds_for_all_tries_together():
    slow = [0.15, http_answer(503)]
    started = time.monotonic()
    with pytest.raises((DeadlineError, UnavailableError)):
        ask(slow, timeout=0.4, retry=RetryPolicy(100, 0.001))
    assert time.monotonic() - started < 0.7


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_time_limit_that_leaves_no_time(seconds):
    with pytest.raises(ValueError, match="timeout_seconds"):
        RestClient("http://127.0.0.1:1", "m", seconds)


# --- connections ---------------------------------------------------------------------------------


def test_connection_is_kept_for_the_next_request():
    with ScriptedHttpServer(OK) as server, RestClient(server.url, "m") as client:
        for _ in range(5):
            client.get_status()
        assert server.connections == 1


def test_connection_that_the_server_has_closed_meanwhile_is_no_error():
    script = ScriptedHttpServer([OK, END], OK)
    with script as server, RestClient(server.url, "m", retry=ONCE) as client:
        client.get_status()
        time.sleep(0.1)
        client.get_status()
        assert server.connections == 2


def test_connection_that_the_server_closes_at_the_next_request_is_no_error():
    script = ScriptedHttpServer(OK, END, OK)
    with script as server, RestClient(server.url, "m", retry=ONCE) as client:
        client.get_status()
        client.get_status()
        assert (server.connections, len(server.requests)) == (2, 3)


@pytest.mark.parametrize("part", [OK[:3], OK[:30], OK[:-3]], ids=["status line", "header", "body"])
def test_request_is_not_sent_again_on_its_own_once_part_of_the_answer_has_come(part):
    script = ScriptedHttpServer(OK, [part, END], OK)
    with script as server, RestClient(server.url, "m", retry=ONCE) as client:
        client.get_status()
        with pytest.raises((UnavailableError, AnswerError)):
            client.get_status()
        assert (server.connections, len(server.requests)) == (1, 2)


def test_request_on_a_new_connection_is_not_sent_again_on_its_own():
    script = ScriptedHttpServer(END, OK)
    with script as server, RestClient(server.url, "m", retry=ONCE) as client:
        with pytest.raises(UnavailableError):
            client.get_status()
        assert len(server.requests) == 1


def test_request_on_a_kept_connection_is_sent_again_once_only():
    script = ScriptedHttpServer(OK, END, END, OK)
    with script as server, RestClient(server.url, "m", retry=ONCE) as client:
        client.get_status()
        with pytest.raises(UnavailableError):
            client.get_status()
        assert len(server.requests) == 3


def test_request_that_waits_in_vain_on_a_kept_connection_is_not_sent_again():
    script = ScriptedHttpServer(OK, [5, OK], OK)
    with script as server, RestClient(server.url, "m", 0.3, ONCE) as client:
        client.get_status()
        with pytest.raises(DeadlineError):
            client.get_status()
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        http_answer(200, STATUS, "connection: close"),
        [b"HTTP/1.1 200 OK\r\n\r\n" + STATUS, END],
        [b"HTTP/1.0 200 OK\r\n\r\n" + STATUS, END],
    ],
)
def test_answer_that_ends_the_connection(answer):
    with ScriptedHttpServer(answer) as server, RestClient(server.url, "m", retry=ONCE) as client:
        client.get_status()
        client.get_status()
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (STATUS[:5], len(STATUS) - 5, STATUS[5:]),
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        http_answer(200, gzip.compress(STATUS), "Content-Encoding: gzip"),
        [OK[:10], 0.05, OK[10:30], 0.05, OK[30:]],
    ],
    ids=["chunked", "interim answer first", "gzip", "in pieces"],
)
def test_forms_of_answers(answer):
    assert len(ask(answer, retry=ONCE).requests) == 1


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH_9.6\r\n", http_answer(200, b"x", "content-encoding: gzip")],
    ids=["another protocol", "broken gzip"],
)
def test_what_is_not_http_is_said_and_not_tried_again(answer):
    with pytest.raises(AnswerError, match=r"http://127.0.0.1:\d+: the answer is not"):
        ask(answer, OK)


def test_server_that_refuses_a_large_body_before_it_has_read_it():
    body = b'{"error": "too large"}'

    class Refusing(ScriptedHttpServer):
        def _serve(self, sock):
            sock.recv(1000)
            sock.sendall(http_answer(413, body, "connection: close"))
            sock.shutdown(1)
            time.sleep(1)
            sock.close()

    with (
        Refusing(OK) as server,
        RestClient(server.url, "m", retry=ONCE) as client,
        pytest.raises(RequestError, match="too large"),
    ):
        client.predict_raw({"x": [b"x" * 20_000_000]})


def test_as_many_connections_as_callers():
    script = ScriptedHttpServer([0.1, OK])
    with script as server, RestClient(server.url, "m") as client, ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(client.get_status) for _ in range(30)]:
            assert future.result() == []
        assert server.connections == 6


def test_closing_ends_what_is_under_way():
    failures = []

    def ask_and_record(client):
        try:
            client.get_status()
        except Exception as error:
            failures.append(type(error))

    with ScriptedHttpServer([20, OK]) as server:
        client = RestClient(server.url, "m", 20)
        busy = threading.Thread(target=ask_and_record, args=(client,))
        busy.start()
        while not server.requests:
            time.sleep(0.01)
        client.close()
        busy.join(2)
        assert not busy.is_alive() and failures == [ClosedError]
        with pytest.raises(ClosedError, match="the client is closed"):
            client.get_status()


def test_closing_ends_the_pause_before_the_next_try():
    with ScriptedHttpServer(http_answer(503)) as server:
        client = RestClient(server.url, "m", 60, RetryPolicy(2, 20, 20))
        threading.Timer(0.2, client.close).start()
        started = time.monotonic()
        with pytest.raises(ClosedError):
            client.get_status()
        assert time.monotonic() - started < 2


# --- what is sent --------------------------------------------------------------------------------


def test_request_is_what_the_api_asks_for():
    answer = http_answer(200, b'{"results": [1.5]}')
    headers = {"Authorization": "Bearer x", "x-request-id": "7"}
    with (
        ScriptedHttpServer(answer) as server,
        RestClient(server.url + "/proxy/", "a b", headers=headers) as client,
    ):
        assert client.regress([{"x": 1.0}], "sig") == [1.5]
        ((head, body),) = server.requests
    first, *lines = head.split("\r\n")
    assert first == "POST /proxy/v1/models/a%20b:regress HTTP/1.1"
    sent = dict(line.split(": ", 1) for line in lines)
    assert sent["host"] == f"127.0.0.1:{server.port}"
    assert sent["content-type"] == "application/json"
    assert (sent["authorization"], sent["x-request-id"]) == ("Bearer x", "7")
    assert json.loads(body) == {"examples": [{"x": [1.0]}], "signature_name": "sig"}


def test_compressed_request():
    answer = http_answer(200, b'{"outputs": {"a": [1], "b": [2]}}')
    with ScriptedHttpServer(answer) as server, RestClient(server.url, "m", compress=True) as client:
        client.predict_raw({"x": [1.0] * 1000})
        ((head, body),) = server.requests
    assert "content-encoding: gzip" in head and "accept-encoding: gzip" in head
    assert len(body) < 200
    assert json.loads(gzip.decompress(body)) == {"inputs": {"x": [1.0] * 1000}}


@pytest.mark.parametrize(
    ("examples", "context", "expected"),
    [
        ([{"f": [0.5, 2.0]}], None, {"examples": [{"f": [0.5, 2.0]}]}),
        ([{"i": 3, "b": True}], None, {"examples": [{"i": [3], "b": [1]}]}),
        (
            [{"s": "é", "raw": b"\xff"}],
            {"c": 1.0},
            {"examples": [{"s": ["é"], "raw": [{"b64": "/w=="}]}], "context": {"c": [1.0]}},
        ),
    ],
)
def test_examples_as_json(examples, context, expected):
    answer = http_answer(200, b'{"results": [[["cat", 0.25], ["", 1]]]}')
    with ScriptedHttpServer(answer) as server, RestClient(server.url, "m") as client:
        assert client.classify(examples, context=context) == [[("cat", 0.25), ("", 1.0)]]
        ((_, body),) = server.requests
    assert json.loads(body) == expected


@pytest.mark.parametrize(
    "body", [b'{"results": [[["cat"]]]}', b'{"results": [1]}', b'{"result": []}', b"[]", b"x"]
)
def test_answer_to_classify_of_another_form(body):
    with (
        ScriptedHttpServer(http_answer(200, body)) as server,
        RestClient(server.url, "m") as client,
        pytest.raises(AnswerError),
    ):
        client.classify([{"x": 1.0}])


@pytest.mark.parametrize(
    "body", [b'{"model_version_status": [{}]}', b'{"model_version_status": 1}']
)
def test_status_of_another_form(body):
    with (
        ScriptedHttpServer(http_answer(200, body)) as server,
        RestClient(server.url, "m") as client,
        pytest.raises(AnswerError, match="no states of versions"),
    ):
        client.get_status()

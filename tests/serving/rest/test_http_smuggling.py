"""One request is one answer: what a proxy or client takes for a body is never run as a request."""

import json
import subprocess

import pytest

from darkroom.tests.programs import find_program
from darkroom.tests.serving.rest.http_server import ECHO, chunked, get, post, run_server

HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
"""What is sent as a body and would, run as a request, be answered with `ok`."""


@pytest.fixture(scope="module")
def server():
    with run_server() as running:
        yield running


def upgrade(protocol, *headers):
    return ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}",
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA", *headers)  # fmt: skip


def add_headers(request, *headers):
    start, _, rest = request.partition(b"\r\n")
    return b"\r\n".join([start, *(header.encode() for header in headers), rest])


def check_one_answer(client, size):
    answer = client.read()
    assert (answer.status, json.loads(answer.body)["body"]) == (200, size)
    # The next answer is that to the next request, and there is none in between.
    client.send(post(b"12345"))
    assert json.loads(client.read().body)["body"] == 5


@pytest.mark.parametrize("protocol", ["foo", "h2c", "websocket", "TLS/1.0, h2c"])
def test_body_behind_an_offer_to_upgrade_is_a_body(server, protocol):
    head, _, body = post(HIDDEN, ECHO, *upgrade(protocol)).partition(b"\r\n\r\n")
    with server.connect() as client:
        client.send(head + b"\r\n\r\n")
        client.send(body)
        check_one_answer(client, len(HIDDEN))


UPGRADES = {
    "plain": post(HIDDEN, ECHO, *upgrade("h2c")),
    "chunked": add_headers(chunked(HIDDEN, b"x" * 9) + b"0\r\n\r\n", *upgrade("h2c")),
    "trailer": add_headers(chunked(HIDDEN, b"x" * 9) + b"0\r\nUpgrade: h2c\r\n\r\n",
                           *upgrade("h2c")),
}  # fmt: skip


@pytest.mark.parametrize("kind", UPGRADES)
def test_offer_to_upgrade_may_be_cut_anywhere(server, kind):
    request = UPGRADES[kind]
    size = len(HIDDEN) + (0 if kind == "plain" else 9)
    with server.connect() as client:
        for cut in range(1, len(request)):
            client.send(request[:cut])
            client.send(request[cut:])
            check_one_answer(client, size)
        for byte in request:
            client.send(bytes([byte]))
        check_one_answer(client, size)


def test_many_offers_to_upgrade_are_answered_in_order(server):
    with server.connect() as client:
        requests = [post(b"x" * size, ECHO, *upgrade("h2c")) for size in range(300)]
        client.send(b"".join(requests))
        sizes = [json.loads(client.read().body)["body"] for _ in requests]
    assert sizes == list(range(300))


def test_get_with_an_offer_to_upgrade_is_answered_and_so_is_what_follows(server):
    with server.connect() as client:
        client.send(get("/healthz", *upgrade("websocket")) + get("/readyz") + post(b"xy"))
        assert [client.read().status for _ in range(3)] == [200, 200, 200]


def test_offer_to_upgrade_may_wait_for_leave_to_send_its_body(server):
    head, _, body = post(HIDDEN, ECHO, *upgrade("h2c", "Expect: 100-continue")).partition(
        b"\r\n\r\n"
    )
    with server.connect() as client:
        client.send(head + b"\r\n\r\n")
        assert client.read(has_body=False).status == 100
        client.send(body)
        check_one_answer(client, len(HIDDEN))


def test_offer_to_upgrade_is_held_to_the_limits_of_a_body():
    with run_server(max_request_bytes=10) as running, running.connect() as client:
        client.send(post(b"x" * 11, ECHO, *upgrade("h2c")) + HIDDEN)
        assert client.read().status == 413
        assert client.read_rest() == b""


REFUSED = {
    "two lengths": post(HIDDEN, ECHO, "Content-Length: 0"),
    "the same length twice": post(HIDDEN, ECHO, f"Content-Length: {len(HIDDEN)}"),
    "lengths as a list": get(ECHO, "Content-Length: 0, 0", method="POST") + HIDDEN,
    "signed length": get(ECHO, "Content-Length: +0", method="POST") + HIDDEN,
    "length and chunks": post(b"0\r\n\r\n" + HIDDEN, ECHO, "Transfer-Encoding: chunked"),
    "chunks and length": get(
        ECHO, "Transfer-Encoding: chunked", "Content-Length: 5", method="POST"
    ) + b"0\r\n\r\n" + HIDDEN,
    "chunks that are not last": get(
        ECHO, "Transfer-Encoding: chunked, gzip", method="POST"
    ) + b"0\r\n\r\n" + HIDDEN,
    "another coding": get(ECHO, "Transfer-Encoding: xchunked", method="POST") + HIDDEN,
    "space before the colon": get(ECHO, f"Content-Length : {len(HIDDEN)}", method="POST") + HIDDEN,
    "folded header": get(ECHO, "X: a\r\n b", method="POST") + HIDDEN,
    "folded coding": get(
        ECHO, "Transfer-Encoding:\r\n chunked", method="POST"
    ) + b"0\r\n\r\n" + HIDDEN,
    "bare LF": b"POST " + ECHO.encode() + b" HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + HIDDEN,
    "bare LF in a header": get(ECHO, "X: a\nContent-Length: 50", method="POST") + HIDDEN,
    "bare CR in a header": get(ECHO, "X: a\rContent-Length: 50", method="POST") + HIDDEN,
    "chunk size with a sign": chunked()[:-2] + b"\r\n+0\r\n\r\n" + HIDDEN,
    "chunk that goes on": chunked() + b"1\r\nab\r\n0\r\n\r\n" + HIDDEN,
    "chunk ended by LF": chunked() + b"1\na\n0\n\n" + HIDDEN,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "two lengths with an upgrade": post(HIDDEN, ECHO, *upgrade("h2c", "Content-Length: 0")),
    "length and chunks with an upgrade": post(
        b"0\r\n\r\n" + HIDDEN, ECHO, *upgrade("h2c", "Transfer-Encoding: chunked")),
}  # fmt: skip


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
def test_request_that_two_readers_may_read_differently_is_refused(server, request_):
    with server.connect() as client:
        client.send(request_)
        answer = client.read()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert answer.error.startswith("Malformed HTTP request: ")
        assert client.read_rest() == b""


@pytest.mark.parametrize("headers", [(), upgrade("h2c")], ids=["plain", "upgrade"])
def test_tunnel_is_refused_and_nothing_in_it_is_read(server, headers):
    with server.connect() as client:
        client.send(get("x:80", *headers, method="CONNECT") + HIDDEN)
        answer = client.read()
        assert (answer.status, answer.headers["connection"]) == (501, "close")
        assert client.read_rest() == b""


def test_nothing_is_read_behind_the_last_request(server):
    for last in (post(b"x", ECHO, "Connection: close"), post(b"x", version="1.0"),
                 post(b"x", ECHO, "Connection: keep-alive", version="1.0")):  # fmt: skip
        with server.connect() as client:
            client.send(last + HIDDEN)
            assert client.read().status == 200
            assert client.read_rest() == b""


def test_refusal_comes_behind_the_answers_to_what_came_before_it(server):
    with server.connect() as client:
        client.send(post(b"x") + post(b"xy") + b"nonsense\r\n\r\n" + HIDDEN)
        assert [client.read().status for _ in range(3)] == [200, 200, 400]
        assert client.read_rest() == b""


def test_header_behind_a_body_changes_nothing(server):
    with server.connect() as client:
        client.send(chunked(b"{}") + b"0\r\nContent-Encoding: gzip\r\n\r\n")
        check_one_answer(client, 2)


JAVA = """
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int size : new int[] {0, 3, 100000}) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .POST(BodyPublishers.ofString("x".repeat(size))).build();
            HttpResponse<String> answer =
                client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
    }
}
"""
ANSWERS = [f'200 {{"method": "POST", "body": {size}}}' for size in (0, 3, 100_000)]


@pytest.mark.host
def test_client_of_java_gets_its_answers(server, tmp_path):
    source = tmp_path / "Ask.java"
    source.write_text(JAVA)
    command = [
        find_program("java", "default-jdk-headless"),
        str(source),
        f"http://127.0.0.1:{server.server.port}{ECHO}",
    ]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert process.stdout.splitlines() == ANSWERS, process.stderr


@pytest.mark.host
def test_curl_that_offers_http2_gets_its_answer(server):
    url = f"http://127.0.0.1:{server.server.port}{ECHO}"
    curl = find_program("curl")
    command = [curl, "-s", "--http2", "-d", "xyz", url, "--next", "-s", "--http2", "-d", "", url]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert process.stdout == '{"method": "POST", "body": 3}{"method": "POST", "body": 0}'

"""HTTP around the REST API: methods, paths, encodings, connections that are kept or not."""

import gzip
import json
import tracemalloc
import zlib

import pytest

from darkroom.serving.model_server.event_loop import INLINE_BYTES
from darkroom.serving.model_server.rest import compression
from darkroom.serving.model_server.rest.compression import (
    DecompressedTooLarge,
    accepts_gzip,
    decompress,
)
from darkroom.tests.serving.rest.http_server import ECHO, chunked, get, post, run_server

MAX_BYTES = 1_000_000


@pytest.fixture(scope="module")
def server():
    with run_server(max_request_bytes=MAX_BYTES, metrics_path="/metrics") as running:
        yield running


@pytest.fixture
def client(server):
    with server.connect() as connected:
        yield connected


def count_body(answer):
    assert answer.status == 200, answer
    return json.loads(answer.body)["body"]


def test_connection_is_kept(client):
    for size in (0, 3, 70_000, 5):
        client.send(post(b"x" * size))
        answer = client.read()
        assert count_body(answer) == size
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["date"].endswith(" GMT")
        assert "connection" not in answer.headers


def test_request_may_come_in_single_bytes(client):
    for byte in post(b"abc"):
        client.send(bytes([byte]))
    assert count_body(client.read()) == 3


def test_chunked_body(client):
    client.send(chunked(b"ab", b"cde") + b"0\r\nTrailer: x\r\n\r\n")
    assert count_body(client.read()) == 5
    client.send(post(b"x"))
    assert count_body(client.read()) == 1


def test_pipelined_requests_are_answered_in_order(client):
    client.send(b"".join(post(b"x" * size) for size in range(50)))
    assert [count_body(client.read()) for _ in range(50)] == list(range(50))


@pytest.mark.parametrize(
    ("request_", "connection"),
    [
        (post(b"", ECHO, "Connection: close"), "close"),
        (post(b"", version="1.0"), "close"),
    ],
)
def test_connection_that_is_not_kept(client, request_, connection):
    client.send(request_)
    answer = client.read()
    assert (answer.status, answer.headers["connection"]) == (200, connection)
    assert client.read_rest() == b""


def test_leave_to_send_a_body(client):
    head, body = post(b"x" * 9, ECHO, "Expect: 100-continue").split(b"\r\n\r\n")
    client.send(head + b"\r\n\r\n")
    assert client.read(has_body=False).status == 100
    client.send(body)
    assert count_body(client.read()) == 9


def test_head_has_the_headers_only(client):
    client.send(get("/healthz", method="HEAD") + get("/healthz"))
    answer = client.read(has_body=False)
    assert (answer.status, answer.headers["content-length"]) == (200, "3")
    assert client.read().body == b"ok\n"


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH"])
def test_method_that_the_api_does_not_know(client, method):
    client.send(get("/v1/models/m", method=method))
    answer = client.read(has_body=method != "HEAD")
    assert answer.status == 400
    if method != "HEAD":
        assert answer.error == f"Malformed request: {method} /v1/models/m"


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND"])
def test_method_that_the_server_does_not_know(server, method):
    answer = server.ask(get("/v1/models/m", method=method))
    assert (answer.status, answer.headers["content-type"]) == (501, "text/html")


@pytest.mark.parametrize(
    ("target", "status", "malformed"),
    [
        ("/", 404, None),
        ("/v2/models/m", 404, None),
        ("//v1/models/m", 404, None),
        ("*", 404, None),
        ("/v1/", 400, "/v1/"),
        ("/V1/models/a/b", 400, "/V1/models/a/b"),
        ("/v1/models/m/metadata?x=1", 400, "/v1/models/m/metadata?x=1"),
        ("/v1/models/%zz/%00/..", 400, "/v1/models/%zz/%00/.."),
        ("http://other:1/v1/models/a/b?c", 400, "/v1/models/a/b?c"),
    ],
)
def test_odd_paths(server, target, status, malformed):
    answer = server.ask(get(target))
    assert answer.status == status
    if malformed is None:
        assert answer.headers["content-type"] == "text/html"
    else:
        assert answer.error == f"Malformed request: GET {malformed}"


def test_query_is_taken_for_a_part_of_the_name_as_tensorflow_serving_does(server):
    answer = server.ask(get("/v1/models/m?x=1"))
    assert (answer.status, answer.error) == (404, "Could not find any versions of model m?x=1")


def test_whole_url_as_target_reaches_the_model(server):
    assert count_body(server.ask(post(b"x", f"http://proxy{ECHO}"))) == 1


def test_probes(server):
    for path in ("/healthz", "/readyz", "/readyz?verbose"):
        answer = server.ask(get(path))
        assert (answer.status, answer.body) == (200, b"ok\n")
    server.ready[0] = False
    try:
        assert server.ask(get("/healthz")).status == 200
        assert server.ask(get("/readyz")).status == 503
    finally:
        server.ready[0] = True


def test_metrics_are_where_the_configuration_says(server):
    answer = server.ask(get("/metrics?name[]=x"))
    assert answer.body == b"metric 1\n" * 1000
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert server.ask(get("/monitoring/prometheus/metrics")).status == 404
    packed = server.ask(get("/metrics", "Accept-Encoding: gzip"))
    assert gzip.decompress(packed.body) == answer.body
    with run_server() as other:
        assert other.ask(get("/metrics")).status == 404


CORS_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, GET",
    "access-control-allow-headers": "Content-Type",
}


@pytest.mark.parametrize("enabled", [True, False])
def test_preflight_and_cors(enabled):
    with run_server(enable_cors=enabled) as running:
        answers = [
            running.ask(get(ECHO, "Origin: https://page", method="OPTIONS")),
            running.ask(get(ECHO, method="OPTIONS")),
            running.ask(post(b"x")),
            running.ask(get("/v1/nothing")),
        ]
        outside = running.ask(get("/", "Origin: https://page", method="OPTIONS"))
    assert [answer.status for answer in answers] == [200, 400, 200, 400]
    assert [answer.body for answer in answers[:2]] == [b"", b""]
    for answer in answers:
        found = {name: value for name, value in answer.headers.items() if "access" in name}
        assert found == (CORS_HEADERS if enabled else {})
    assert (outside.status, "access-control-allow-origin" in outside.headers) == (404, False)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
@pytest.mark.parametrize("size", [0, 10, INLINE_BYTES, 900_000])
def test_compressed_request(server, encoding, size):
    body = gzip.compress(b"x" * size)
    answer = server.ask(post(body, ECHO, f"Content-Encoding: {encoding}"))
    assert count_body(answer) == size


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "Failed to uncompress the gzipped body: Error -3"),
        (b"", "Failed to uncompress the gzipped body: it is cut off"),
        (gzip.compress(b"x" * 99)[:-4], "it is cut off or goes on"),
        (gzip.compress(bytes(200_000))[:-4], "it is cut off or goes on"),
        (gzip.compress(b"{}") + b"more", "it is cut off or goes on"),
        (zlib.compress(b"{}"), "Error -3"),
    ],
    # Not the bodies themselves: gzip writes the time into them.
    ids=["plain", "empty", "cut off", "large and cut off", "goes on", "zlib"],
)
def test_compressed_request_that_is_broken(server, body, message):
    answer = server.ask(post(body, ECHO, "Content-Encoding: gzip"))
    assert answer.status == 400
    assert message in answer.error


def test_encoding_that_is_not_supported(server):
    answer = server.ask(post(b"{}", ECHO, "Content-Encoding: br"))
    assert answer.status == 415
    assert answer.error == "Content-Encoding br is not supported; use gzip, or none"
    assert count_body(server.ask(post(b"{}", ECHO, "Content-Encoding: identity"))) == 2


def test_bomb_is_refused_before_it_fills_the_memory(server):
    bomb = gzip.compress(bytes(500 * MAX_BYTES), 9)
    assert len(bomb) < MAX_BYTES
    tracemalloc.start()
    answer = server.ask(post(bomb, ECHO, "Content-Encoding: gzip"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status == 413
    assert answer.error == f"Request body is larger than max_request_bytes={MAX_BYTES}"
    assert peak < 10 * MAX_BYTES


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("limit", [1, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 300_000])
def test_decompressed_size_is_bounded_exactly(server, limit, extra):
    work = decompress(gzip.compress(bytes(limit + extra)), limit)
    if extra:
        with pytest.raises(DecompressedTooLarge):
            server.loop.call(work)
    else:
        assert server.loop.call(work) == bytes(limit)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (b"gzip", True),
        (b"deflate, GZIP;q=0.5, br", True),
        (b"br,x-gzip ; q=1", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.00", False),
        (b"notgzip", False),
        (b"", False),
    ],
)
def test_accepted_encodings(header, accepted):
    assert accepts_gzip(header) is accepted


def test_large_answer_is_compressed_where_the_client_asks(server):
    path = "/v1/models/" + "m" * compression.MIN_BYTES + "/x"
    plain = server.ask(get(path))
    packed = server.ask(get(path, "Accept-Encoding: gzip"))
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.body) == plain.body
    small = server.ask(get("/v1/x", "Accept-Encoding: gzip"))
    assert "content-encoding" not in small.headers

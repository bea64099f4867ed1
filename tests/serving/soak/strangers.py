"""Clients that send what is broken or meant to do harm, without end."""

import collections
import gzip
import json
import random
import socket
import threading

import grpc

from darkroom.serving import protos
from darkroom.tests.serving.fuzz.wire import TIMEOUT_SECONDS, request, send

PAUSE_SECONDS = 0.01
MAX_HELD = 20
"""Connections that one stranger keeps open over unfinished requests."""
PATH = "/v1/models/latest:predict"
VALID = b'{"instances": [1.0, 2.0]}'


def _bodies(chance):
    """Broken bodies: each draws a few bytes differently every time."""
    cut = chance.randrange(len(VALID) - 1)
    return [
        b"",
        VALID[:cut],
        chance.randbytes(chance.randrange(2000)),
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"instances": ' + b"9" * 5000 + b"}",
        b'{"instances": [[1], [2, 3], "x"]}',
        b'{"instances": [{"b64": "not base64!"}], "signature_name": "image"}',
        b'{"instances": [1], "signature_name": "none"}',
        b'{"instances": [1e999, -1e999, "NaN"]}',
        b'{"inputs": {"x": [1], "y": [2]}}',
        json.dumps({"instances": [[chance.random()] * 50] * 50 + ["x"]}).encode(),
    ]


def send_broken_body(port, chance):
    request(port, "POST", PATH, body=chance.choice(_bodies(chance))).check()


def send_wrong_path(port, chance):
    paths = [
        "/v1/models/nobody:predict", "/v1/models/latest/versions/99:predict", "/", "/v1/../etc",
        "/v1/models/latest/labels/none:predict", "/v1/models/%00:predict", "/v1/models/latest:x",
        "/v1/models/" + "x" * 5000,
    ]  # fmt: skip
    request(port, chance.choice(["GET", "POST", "DELETE"]), chance.choice(paths)).check()


def send_bomb(port, chance):
    body = gzip.compress(b"0" * 5_000_000)
    request(port, "POST", PATH, [("Content-Encoding", "gzip")], body).check()


def send_no_http(port, chance):
    head = chance.choice([b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0", chance.randbytes(100)])
    send(port, head, half_close=True).check()


def promise_more(port, chance):
    headers = [("Content-Length", str(len(VALID) + 1000))]
    request(port, "POST", PATH, headers, VALID, half_close=True).check()


def hang_up(port, chance):
    """Goes away in the middle of the request, or before the answer."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(VALID)}\r\n\r\n".encode()
    whole = head + VALID
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        connection.sendall(whole[: chance.choice([0, 10, len(head), len(whole) - 1, len(whole)])])


REST_ATTACKS = (
    *(send_broken_body,) * 4, send_wrong_path, send_bomb, send_no_http, promise_more, hang_up,
)  # fmt: skip


def _predict_request(model, **fields):
    message = protos.message_class("tensorflow.serving.PredictRequest")()
    message.model_spec.name = model
    message.model_spec.signature_name = fields.get("signature_name", "")
    for name, (number, shape, content) in fields.get("inputs", {}).items():
        tensor = message.inputs[name]
        tensor.dtype, tensor.tensor_content = number, content
        for size in shape:
            tensor.tensor_shape.dim.add().size = size
    return message.SerializeToString()


def _messages(chance):
    good = _predict_request("latest", inputs={"x": (1, [2], bytes(8))})
    cut = chance.randrange(len(good))
    return [
        b"",
        good[:cut],
        chance.randbytes(chance.randrange(2000)),
        good[:cut] + chance.randbytes(3) + good[cut:],
        _predict_request("nobody", inputs={"x": (1, [2], bytes(8))}),
        _predict_request("latest", signature_name="none"),
        _predict_request("latest", inputs={"x": (1, [3], bytes(8))}),
        _predict_request("latest", inputs={"x": (9, [1], bytes(8))}),
        _predict_request("latest", inputs={"x": (1, [2, 1], bytes(8))}),
        _predict_request("latest", inputs={"y": (1, [2], bytes(8))}),
        _predict_request("latest", inputs={"x": (1, [2**40], b"")}),
    ]


METHODS = (*(protos.PREDICT,) * 5, protos.GET_MODEL_METADATA, protos.GET_MODEL_STATUS, "/no/such")
BROKEN = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED)


def send_broken_message(channel, chance):
    call = channel.unary_unary(chance.choice(METHODS))
    try:
        call(chance.choice(_messages(chance)), timeout=TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        assert error.code() not in BROKEN, error


def cancel(channel, chance):
    """Changes its mind."""
    good = _predict_request("latest", inputs={"x": (1, [2], bytes(8))})
    channel.unary_unary(protos.PREDICT).future(good, timeout=TIMEOUT_SECONDS).cancel()


class Stranger(threading.Thread):
    """Attacks without end; an attack that succeeds ends it.

    Attributes:
        count: Attacks made.
        problem: What the server did wrong, or None.
    """

    def __init__(self, stopping, seed):
        super().__init__(daemon=True, name=f"{type(self).__name__} {seed}")
        self._stopping = stopping
        self._chance = random.Random(seed)
        self.count, self.problem = 0, None

    def run(self):
        try:
            self._attack_until_told()
        except Exception as error:
            self.problem = f"{self.name}: {type(error).__name__}: {error}"

    def _attack_until_told(self):
        while not self._stopping.wait(PAUSE_SECONDS):
            self.attack()
            self.count += 1


class RestStranger(Stranger):
    """Attacks over REST."""

    def __init__(self, process, stopping, seed):
        super().__init__(stopping, seed)
        self._port = process.rest_port
        self._held = collections.deque()

    def _attack_until_told(self):
        try:
            super()._attack_until_told()
        finally:
            for connection in self._held:
                connection.close()

    def attack(self):
        if self._chance.random() < 0.1:
            self._dawdle()
        else:
            self._chance.choice(REST_ATTACKS)(self._port, self._chance)

    def _dawdle(self):
        """Begins a request, never goes on, and keeps the connection."""
        connection = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_SECONDS)
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nContent-Le".encode())
        self._held.append(connection)
        if len(self._held) > MAX_HELD:
            self._held.popleft().close()


class GrpcStranger(Stranger):
    """Attacks over gRPC."""

    def __init__(self, process, stopping, seed):
        super().__init__(stopping, seed)
        self._address = process.grpc_address

    def _attack_until_told(self):
        with grpc.insecure_channel(self._address) as self._channel:
            super()._attack_until_told()

    def attack(self):
        attacks = (send_broken_message, send_broken_message, cancel)
        self._chance.choice(attacks)(self._channel, self._chance)

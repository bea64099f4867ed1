"""Options of the gRPC server: channel arguments and the size of messages."""

import grpc
import pytest

from darkroom.serving.model_server.errors import Code, StartError
from darkroom.serving.model_server.grpc_api.server import parse_channel_arguments
from darkroom.tests.serving.grpc_api.grpc_servers import open_channel, predict, run_server
from darkroom.tests.serving.models.fakes import wait_until


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("grpc.a=1", {"grpc.a": 1}),
        ("grpc.a=-1,grpc.b=x, grpc.c = 007 ,", {"grpc.a": -1, "grpc.b": "x", "grpc.c": 7}),
        ("grpc.a=x=y", {"grpc.a": "x=y"}),
        ("grpc.a=1.5,grpc.b=2147483647", {"grpc.a": "1.5", "grpc.b": 2147483647}),
        ("grpc.a=2147483648", {"grpc.a": "2147483648"}),
        ("grpc.a=1,grpc.a=2", {"grpc.a": 2}),
    ],
)
def test_channel_arguments(text, options):
    assert parse_channel_arguments(text) == options


@pytest.mark.parametrize("text", ["grpc.a", "grpc.a=", "=1", "grpc.a=1,b", "grpc.a:1"])
def test_channel_argument_that_is_refused(text):
    with pytest.raises(StartError, match=r"grpc_channel_arguments=.* is not name=value; put"):
        parse_channel_arguments(text)


def test_message_that_is_too_large_is_refused(tmp_path):
    with (
        run_server(tmp_path, max_request_bytes=10_000) as server,
        open_channel(server.address) as channel,
    ):
        assert predict(channel, b"x" * 9000) == b"x" * 9000
        with pytest.raises(grpc.RpcError) as caught:
            predict(channel, b"x" * 10_001)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert predict(channel) == b"hello"


def test_channel_argument_reaches_the_server(tmp_path):
    argument = "grpc.max_receive_message_length=100"
    with (
        run_server(tmp_path, grpc_channel_arguments=argument) as server,
        open_channel(server.address) as channel,
    ):
        assert predict(channel) == b"hello"
        with pytest.raises(grpc.RpcError) as caught:
            predict(channel, b"x" * 101)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_each_call_is_observed_once(tmp_path):
    with run_server(tmp_path) as server, open_channel(server.address) as channel:
        predict(channel)
        with pytest.raises(grpc.RpcError):
            predict(channel, signature_name="nope")
        with pytest.raises(grpc.RpcError):
            predict(channel, signature_name="slow", timeout=0.2)
        # The server learns of the deadline by itself, sooner or later than the client.
        wait_until(lambda: len(server.records.all) == 3)
        server.release()
        predict(channel, signature_name="slow")
        first, *others = server.records.all
    assert (first.entrypoint, first.api, first.model_name, first.version) == (
        "GRPC", "Predict", "m", 1,
    )  # fmt: skip
    assert first.signature_name == "serving_default"
    assert first.request_bytes > 0 and first.response_bytes > 0
    assert first.peer.startswith("ipv4:127.0.0.1:")
    codes = [record.code for record in others]
    assert codes == [Code.FAILED_PRECONDITION, Code.CANCELLED, Code.OK]

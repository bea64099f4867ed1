"""Whatever comes over gRPC is answered or refused, and the next request is answered."""

import grpc
import numpy as np
import pytest
from hypothesis import example, given

from darkroom.serving import protos
from darkroom.serving.client import GrpcClient
from darkroom.serving.protos.tensors import TensorError, fill_tensor, find_type, to_array
from darkroom.tests.serving.fuzz import strategies
from darkroom.tests.serving.fuzz.strategies import times
from darkroom.tests.serving.fuzz.wire import TIMEOUT_SECONDS

BROKEN = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DATA_LOSS,
}
"""What no request by itself may bring about."""


@pytest.fixture(scope="module")
def channel(grpc_address):
    with grpc.insecure_channel(grpc_address) as channel:
        yield channel


@pytest.fixture(autouse=True)
def still_answers(grpc_address):
    yield
    with GrpcClient(grpc_address, "zoo") as client:
        inputs = {"x": np.float32([1]), "y": np.float32([2])}
        assert client.predict_raw(inputs, "add")["z"].tolist() == [3.0]


@times(400)
@given(call=strategies.calls)
@example(call=(protos.PREDICT, b""))
@example(call=(protos.PREDICT, b"\xff" * 1_000_000))
def test_any_message_is_answered_or_refused(channel, call):
    method, message = call
    try:
        channel.unary_unary(method)(message, timeout=TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        assert error.code() not in BROKEN, error
        assert error.details()


@times(400)
@given(proto=strategies.tensor_protos())
def test_any_tensor_is_read_or_refused(proto):
    try:
        array = to_array(proto)
    except TensorError as error:
        assert str(error)
        return
    assert array.shape == tuple(dimension.size for dimension in proto.tensor_shape.dim)
    assert find_type(array).number == proto.dtype
    if array.size < 10_000:
        again = type(proto)()
        fill_tensor(again, array)
        # Bit by bit: NaN is not equal to itself, nor every NaN to every other.
        assert to_list(to_array(again)) == to_list(array)


def to_list(array):
    return array.tolist() if array.dtype.kind in "Ob" else [array.shape, array.tobytes()]

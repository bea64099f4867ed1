"""TensorProto, checked against TensorFlow's own reading and writing of it."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from darkroom.serving import protos
from darkroom.serving.protos.tensors import (
    MAX_FILLED_BYTES,
    TYPES,
    TensorError,
    fill_tensor,
    find_type,
    measure,
    to_array,
)

TENSOR = protos.message_class("tensorflow.TensorProto")
# Hypothesis has no strategy for bfloat16.
DTYPES = [t.dtype for t in TYPES.values() if t.name not in ("string", "bfloat16")]


@pytest.mark.parametrize("type_", TYPES.values(), ids=lambda type_: type_.name)
def test_numbers_and_names_are_tensorflows(type_):
    dtype = tf.as_dtype(type_.number)
    assert dtype.as_numpy_dtype == type_.dtype
    assert dtype.name in (type_.name, {"float": "float32", "double": "float64", "half": "float16"}
                          .get(type_.name))  # fmt: skip


@pytest.mark.parametrize("as_content", [False, True])
@given(data=st.data())
def test_tensorflow_reads_what_is_written(as_content, data):
    dtype = data.draw(st.sampled_from(DTYPES))
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))
    proto = TENSOR()
    fill_tensor(proto, array, as_content)
    theirs = tf.make_tensor_proto([0])
    theirs.ParseFromString(proto.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(theirs), array)
    np.testing.assert_array_equal(to_array(proto), array)
    assert to_array(proto).dtype == array.dtype


@given(hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=2)))
def test_what_tensorflow_writes_is_read(array):
    proto = TENSOR.FromString(tf.make_tensor_proto(array).SerializeToString())
    np.testing.assert_array_equal(to_array(proto), array)


@pytest.mark.parametrize("as_content", [False, True])
def test_bfloat16(as_content):
    array = np.array([[1.5, -2], [0, np.inf]], tf.bfloat16.as_numpy_dtype)
    proto = TENSOR()
    fill_tensor(proto, array, as_content)
    theirs = tf.make_tensor_proto([0])
    theirs.ParseFromString(proto.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(theirs), array)
    np.testing.assert_array_equal(to_array(proto), array)
    assert to_array(proto).dtype == array.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("size", [127, 128, 255, 257, 5000, 100_000])
def test_long_lists_of_numbers_are_read_from_the_wire(dtype, size):
    array = np.arange(size).astype(dtype)[::-1] / 3
    proto = TENSOR(version_number=300)
    fill_tensor(proto, array)
    theirs = tf.make_tensor_proto([0])
    theirs.ParseFromString(proto.SerializeToString())
    np.testing.assert_array_equal(tf.make_ndarray(theirs), array)
    np.testing.assert_array_equal(to_array(proto), array)


def test_long_list_with_a_field_that_is_not_known():
    proto = TENSOR()
    fill_tensor(proto, np.ones(1000, np.float32))
    unknown = b"\xfd\x3f\x01\x02\x03\x04" + proto.SerializeToString()
    np.testing.assert_array_equal(to_array(TENSOR.FromString(unknown)), np.ones(1000, np.float32))


@given(st.lists(st.binary(max_size=8), max_size=4))
def test_strings_keep_every_byte(values):
    array = np.empty(len(values), object)
    array[:] = values
    proto = TENSOR()
    fill_tensor(proto, array)
    assert to_array(proto).tolist() == values


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], [0, 0, 0]), ([7], [7, 7, 7]), ([1, 2], [1, 2, 2]), ([1, 2, 3, 4], [1, 2, 3])],
)
def test_short_lists_are_filled_up_as_tensor_proto_says(values, expected):
    proto = TENSOR(dtype=1, float_val=values)
    proto.tensor_shape.dim.add().size = 3
    assert to_array(proto).tolist() == expected


def broken(dtype=1, shape=(1,), **fields):
    proto = TENSOR(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    return proto


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (broken(dtype=0), "unsupported tensor type 0"),
        (broken(dtype=20), "unsupported tensor type 20"),
        (broken(shape=(-1,)), "must be fully known"),
        (broken(shape=(2**40, 2**40), float_val=[1]), "larger than 2 GiB"),
        (broken(shape=(0, 2**62)), "larger than 2 GiB"),
        (broken(shape=(1,) * 33, float_val=[1]), "a tensor of 33 dimensions; at most 32"),
        (broken(tensor_content=b"abc"), "does not fit float"),
        (broken(tensor_content=b"abcdefgh"), "2 values of float for the shape"),
        (broken(dtype=7, tensor_content=b"abc"), "string tensor"),
        (broken(dtype=7, shape=(2**23,), string_val=[b""]), f"unfolds to {64 * (2**23 - 1)} bytes"),
        (broken(dtype=7, shape=(2,), string_val=[bytes(2**25)]), "at most 33554432"),
        (broken(shape=(2**23 + 1,)), f"unfolds to {2**25 + 4} bytes"),
    ],
)
def test_broken_tensor_is_refused(proto, message):
    with pytest.raises(TensorError, match=message):
        to_array(proto)


def test_unknown_rank_is_refused():
    proto = broken(shape=())
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(TensorError, match="fully known"):
        to_array(proto)


def test_array_that_no_tensor_holds():
    with pytest.raises(TensorError, match="datetime64"):
        find_type(np.array(["2020-01-01"], "datetime64[s]"))


def test_any_byte_of_a_bool_is_true_or_false():
    proto = protos.message_class("tensorflow.TensorProto")(dtype=10, tensor_content=b"\x00\x22\x01")
    proto.tensor_shape.dim.add().size = 3
    assert to_array(proto).tobytes() == b"\x00\x01\x01"


def test_fill_up_to_the_limit_is_taken():
    size = MAX_FILLED_BYTES // 4
    proto = broken(shape=(size,), float_val=[0.5])
    assert measure(proto) == (size * 4, (size - 1) * 4)
    assert (to_array(proto) == 0.5).all()


def test_values_that_are_in_the_message_have_no_limit():
    array = np.zeros(MAX_FILLED_BYTES, np.float32)
    proto = TENSOR()
    fill_tensor(proto, array, as_content=True)
    assert measure(proto) == (array.nbytes, 0)
    assert to_array(proto).shape == array.shape

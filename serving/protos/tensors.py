"""TensorProto to and from numpy arrays; for the server's messages and for the client's alike.

Numbers, names and fields are those of tensorflow/core/framework/types.proto and tensor.proto.
"""

import math
from typing import Any, Final, NamedTuple

import ml_dtypes
import numpy as np

MAX_BYTES: Final = 2**31 - 1
"""No message is larger (protobuf's limit), so no tensor that expands beyond it is taken."""
MAX_FILLED_BYTES: Final = 32 * 2**20
"""How much a message may unfold to beyond what it says: 55 images of 224×224×3 floats."""
STRING_BYTES: Final = 64
"""What a string takes without its text: Python's object, a pointer to it, TensorFlow's own."""
MAX_DIMENSIONS: Final = 32
"""As many as numpy 1 has; TensorFlow's own limit is 254."""


class TensorError(ValueError):
    """A TensorProto that is not well formed, or an array that no TensorProto can hold."""


class TensorType(NamedTuple):
    """One row of types.proto.

    Attributes:
        number: Value of the enum `DataType`.
        name: TensorFlow's own name of the type, as in its error messages.
        dtype: Type of the numpy array; object (of bytes) for strings.
        field: Field of TensorProto that holds the values.
    """

    number: int
    name: str
    dtype: np.dtype
    field: str


TYPES: Final = {
    number: TensorType(number, name, np.dtype(dtype), field)
    for number, name, dtype, field in (
        (1, "float", np.float32, "float_val"),
        (2, "double", np.float64, "double_val"),
        (3, "int32", np.int32, "int_val"),
        (4, "uint8", np.uint8, "int_val"),
        (5, "int16", np.int16, "int_val"),
        (6, "int8", np.int8, "int_val"),
        (7, "string", object, "string_val"),
        (8, "complex64", np.complex64, "scomplex_val"),
        (9, "int64", np.int64, "int64_val"),
        (10, "bool", np.bool_, "bool_val"),
        (14, "bfloat16", ml_dtypes.bfloat16, "half_val"),
        (17, "uint16", np.uint16, "int_val"),
        (18, "complex128", np.complex128, "dcomplex_val"),
        (19, "half", np.float16, "half_val"),
        (22, "uint32", np.uint32, "uint32_val"),
        (23, "uint64", np.uint64, "uint64_val"),
    )
}
STRING: Final = TYPES[7]
_PACKED: Final = {"float_val": 5, "double_val": 6, "scomplex_val": 9, "dcomplex_val": 12}
"""Numbers of the fields whose form on the wire is that of the array in memory."""
_LENGTH_DELIMITED: Final = 2
_MANY: Final = 256
"""From so many values on, reading the wire is faster than asking for one after the other."""
_BY_DTYPE: Final = {type_.dtype: type_ for type_ in TYPES.values()}


def find_type(array: np.ndarray) -> TensorType:
    """Returns the tensor type of an array; arrays of str or bytes are strings.

    Raises:
        TensorError: TensorFlow has no such type, or this module does not know it.
    """
    if array.dtype.kind in "SU":
        return STRING
    try:
        return _BY_DTYPE[array.dtype]
    except KeyError:
        raise TensorError(f"no tensor type for arrays of {array.dtype}") from None


class Size(NamedTuple):
    """What the values of a TensorProto take in memory, in bytes.

    Attributes:
        all: All of them, but for the text of strings, which is in the message.
        filled: Those that are not in the message, because the shape has more; with their text.
    """

    all: int
    filled: int


def measure(proto: Any) -> Size:
    """Returns what `to_array` will take, without taking it; TensorError if it is unknown."""
    type_ = _find_type(proto)
    size = math.prod(_read_shape(proto, type_))
    if proto.tensor_content:
        return Size(size * type_.dtype.itemsize, 0)
    values = getattr(proto, type_.field)
    given = len(values) // 2 if type_.dtype.kind == "c" else len(values)
    each = STRING_BYTES if type_ is STRING else type_.dtype.itemsize
    text = len(values[-1]) if type_ is STRING and values else 0
    filled = max(size - given, 0) * (each + text)
    return Size(given * each + filled, filled)


def check_filled(filled: int) -> None:
    """Checks how much one message unfolds to.

    Args:
        filled: Bytes that are not in the message.

    Raises:
        TensorError: Too many.
    """
    if filled > MAX_FILLED_BYTES:
        raise TensorError(
            f"the message unfolds to {filled} bytes that are not in it; at most "
            f"{MAX_FILLED_BYTES} can be: send the values themselves, or fewer"
        )


def to_array(proto: Any) -> np.ndarray:
    """Returns a TensorProto's values.

    Returns:
        Array of the proto's shape; strings as an object array of bytes.

    Raises:
        TensorError: Type unknown, shape not fully known, values that do not fit the shape, or a
            shape that unfolds to more than `MAX_FILLED_BYTES` beyond the values.
    """
    type_ = _find_type(proto)
    shape = _read_shape(proto, type_)
    values = _read_content(proto, type_) if proto.tensor_content else _read_values(proto, type_)
    size = math.prod(shape)
    if proto.tensor_content and len(values) != size:
        raise TensorError(f"{len(values)} values of {type_.name} for the shape {list(shape)}")
    if len(values) < size:
        check_filled(measure(proto).filled)
        values = _pad(values, size)
    return values[:size].reshape(shape)


def fill_tensor(proto: Any, array: np.ndarray, as_content: bool = False) -> None:
    """Writes an array into an empty TensorProto.

    Args:
        proto: The message to fill.
        array: Values; strings as bytes or str.
        as_content: Whether numbers go into `tensor_content`, which is faster to read and write,
            rather than into the typed field, which clients in other languages read by name.

    Raises:
        TensorError: TensorFlow has no such type.
    """
    type_ = find_type(array)
    proto.dtype = type_.number
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if type_ is STRING:
        values = array.ravel().tolist()
        proto.string_val.extend(v.encode() if isinstance(v, str) else v for v in values)
    elif as_content:
        proto.tensor_content = array.tobytes()
    elif type_.field in _PACKED:
        proto.MergeFromString(_pack(_PACKED[type_.field], array.tobytes()))
    else:
        getattr(proto, type_.field).extend(_flatten(array, type_))


def _find_type(proto: Any) -> TensorType:
    type_ = TYPES.get(proto.dtype)
    if type_ is None:
        raise TensorError(f"unsupported tensor type {proto.dtype}")
    return type_


def _read_shape(proto: Any, type_: TensorType) -> tuple[int, ...]:
    shape = tuple(dimension.size for dimension in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise TensorError("the shape of a tensor must be fully known")
    if len(shape) > MAX_DIMENSIONS:
        raise TensorError(f"a tensor of {len(shape)} dimensions; at most {MAX_DIMENSIONS} can be")
    # An empty tensor has a size as well: numpy goes by the other dimensions.
    if math.prod(size or 1 for size in shape) * type_.dtype.itemsize > MAX_BYTES:
        raise TensorError(f"a tensor of the shape {list(shape)} is larger than 2 GiB")
    return shape


def _read_content(proto: Any, type_: TensorType) -> np.ndarray:
    if type_ is STRING:
        raise TensorError("tensor_content of a string tensor is not supported")
    is_bool = type_.dtype == np.bool_
    try:
        values = np.frombuffer(proto.tensor_content, np.uint8 if is_bool else type_.dtype)
        # Any byte can come, and TensorFlow relies on a bool being 0 or 1.
        return values != 0 if is_bool else values
    except ValueError as error:
        raise TensorError(f"tensor_content does not fit {type_.name}: {error}") from None


def _read_values(proto: Any, type_: TensorType) -> np.ndarray:
    values = getattr(proto, type_.field)
    itemsize = type_.dtype.itemsize
    if type_ is STRING:
        array = np.empty(len(values), object)
        array[:] = list(values)
        return array
    if type_.field == "half_val":
        return np.array(values, np.int32).astype(np.uint16).view(type_.dtype)
    if type_.field in _PACKED and len(values) > _MANY:
        content = _unpack(_PACKED[type_.field], proto.SerializeToString())
        return np.frombuffer(content[: len(content) // itemsize * itemsize], type_.dtype)
    if type_.dtype.kind == "c":
        parts = np.array(values, type_.dtype.type(0).real.dtype)
        return parts[: len(parts) // 2 * 2].view(type_.dtype)
    if type_.field == "int_val":
        # As TensorFlow: values beyond the type wrap around.
        return np.array(values, np.int32).astype(type_.dtype)
    return np.array(values, type_.dtype)


def _pad(values: np.ndarray, size: int) -> np.ndarray:
    """As tensor.proto says: a short list is filled up with its last value, an empty one with 0."""
    if values.dtype == object:
        last: Any = values[-1] if len(values) else b""
    else:
        last = values[-1] if len(values) else values.dtype.type(0)
    padded = np.full(size, last, values.dtype)
    padded[: len(values)] = values
    return padded


def _flatten(array: np.ndarray, type_: TensorType) -> list[Any]:
    flat = np.ascontiguousarray(array).ravel()
    if type_.field == "half_val":
        flat = flat.view(np.uint16)
    return flat.tolist()


def _pack(number: int, content: bytes) -> bytes:
    """Returns a field of packed values as it stands on the wire."""
    size, digits = len(content), bytearray()
    while size > 0x7F:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    digits.append(size)
    return bytes([number << 3 | _LENGTH_DELIMITED]) + digits + content


def _unpack(number: int, message: bytes) -> memoryview:
    """Returns the content of a field of packed values that a message has once."""
    position = 0
    while True:
        tag, position = _read_varint(message, position)
        size, position = _read_varint(message, position)
        if tag & 0x7 != _LENGTH_DELIMITED:
            continue  # Type and version are single numbers, which have just been read.
        if tag >> 3 == number:
            return memoryview(message)[position : position + size]
        position += size


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position

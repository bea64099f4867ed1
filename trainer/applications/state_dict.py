"""Weights as `torch.save` wrote them before torch 1.6, read without torch.

The form is `_legacy_save` in torch's `serialization.py`: pickles of a magic number, the format's
version, the machine's properties, the tensors by name, and the keys of their storages; then per
key, in that order, the number of elements as int64 and the elements.
"""

import io
import pickle
from collections import OrderedDict
from typing import Any, Final, NamedTuple

import numpy as np

from darkroom.trainer.errors import WeightsError

_BEGINNING: Final = (0x1950A86A20F9469CFC6C, 1001)
"""Magic number and version."""


class _Tensor(NamedTuple):
    """What the file says of a tensor, in the order of `_rebuild_tensor_v2`; counts elements."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool
    backward_hooks: Any


_TYPES: Final[dict[str, np.dtype]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}
# A pickle calls whatever it can name, so these are all the names there are. Storages are texts,
# which a pickle can neither call nor change.
_NAMES: Final[dict[tuple[str, str], Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    **{("torch", name): name for name in _TYPES},
}


class _Unpickler(pickle.Unpickler):
    """Reads a pickle that names nothing but tensors, and notes what their storages hold."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.types: dict[str, np.dtype] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for what is named."""
        if (module, name) not in _NAMES:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of weights")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> str:
        """The key of a storage."""
        _, kind, key, _, _, _ = pid
        self.types[key] = _TYPES[kind]
        return key


def read_state_dict(content: bytes, source: str) -> dict[str, np.ndarray]:
    """The tensors of a file by name; nothing that the file says is executed.

    Args:
        source: What to call it in an error.

    Returns:
        float32 or int64 arrays in torch's layout, read-only.

    Raises:
        WeightsError: It is of another form, damaged, or names anything but tensors.
    """
    try:
        return _read(io.BytesIO(content))
    except Exception as error:  # a damaged pickle makes Python raise anything at all
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"trainer.weights: {source!r} is no state dict in torch's legacy format ({reason})"
        ) from error


def _read(file: io.BytesIO) -> dict[str, np.ndarray]:
    beginning = (_Unpickler(file).load(), _Unpickler(file).load())
    if beginning != _BEGINNING:
        raise ValueError("it begins otherwise")
    if not _Unpickler(file).load()["little_endian"]:
        raise ValueError("it was written on a big-endian machine")
    unpickler = _Unpickler(file)
    tensors = unpickler.load()
    keys = _Unpickler(file).load()
    storages = {key: _read_storage(file, unpickler.types[key]) for key in keys}
    return {name: _to_array(tensor, storages[tensor.storage]) for name, tensor in tensors.items()}


def _read_storage(file: io.BytesIO, kind: np.dtype) -> np.ndarray:
    size = int.from_bytes(file.read(8), "little") * kind.itemsize
    content = file.read(size)
    if len(content) < size:
        raise EOFError(f"it ends within a storage of {size} bytes")
    return np.frombuffer(content, kind)


def _to_array(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    """Elements as the tensor's shape orders them; NumPy refuses what leaves the storage."""
    size = storage.itemsize
    strides = [stride * size for stride in tensor.strides]
    return np.ndarray(tensor.shape, storage.dtype, storage, tensor.offset * size, strides)

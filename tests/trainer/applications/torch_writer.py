"""Writes what `torch.save` wrote before torch 1.6, without torch."""

import io
import pickle
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
STORAGES = {"float32": "FloatStorage", "int64": "LongStorage", "float64": "DoubleStorage"}


class Named(NamedTuple):
    """Something that a pickle names, whether it exists here or not."""

    module: str
    name: str

    def __call__(self):
        """To a pickle it looks like something to be called."""


class Storage(NamedTuple):
    """Where a tensor's elements are."""

    kind: object
    key: str


class Call:
    """Is pickled as a call."""

    def __init__(self, called, *arguments):
        self.call = (called, arguments)

    def __reduce__(self):
        return self.call


class Pickler(pickle._Pickler):
    """Python's own pickler, which writes names without looking them up."""

    def save(self, value, save_persistent_id=True):
        if isinstance(value, Named):
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        else:
            super().save(value, save_persistent_id)

    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", value.kind, value.key, "cpu", 0, None)
        return None


def tensor(storage: Storage, offset: int, shape: tuple, strides: tuple) -> Call:
    """What stands for a tensor; counts elements."""
    rebuild = Named("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, storage, offset, shape, strides, False, {})


def to_bytes(*values) -> bytes:
    """Values, each a pickle of its own."""
    file = io.BytesIO()
    for value in values:
        Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def to_file(tensors: Mapping[str, object], storages: Mapping[str, np.ndarray]) -> bytes:
    """The whole file."""
    head = to_bytes(MAGIC, 1001, MACHINE, dict(tensors), list(storages))
    parts = [len(s).to_bytes(8, "little") + s.tobytes() for s in storages.values()]
    return head + b"".join(parts)


def save(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The file of contiguous arrays, a storage each."""
    tensors = {}
    for name, array in arrays.items():
        strides = tuple(stride // array.itemsize for stride in array.strides)
        storage = Storage(Named("torch", STORAGES[array.dtype.name]), name)
        tensors[name] = tensor(storage, 0, array.shape, strides)
    return to_file(tensors, {name: array.ravel() for name, array in arrays.items()})

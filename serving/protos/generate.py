"""Writes the descriptors that client and server ship: `python -m darkroom.serving.protos.generate`.

Needs `tensorflow-serving-api`, and with it TensorFlow. The result depends on the installed
version only; fields are never renumbered between versions, so either column's file serves both.
"""

import importlib
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, wrappers_pb2

from darkroom.serving.protos import DESCRIPTOR_FILE
from darkroom.serving.protos.declared import declare_files

_MODULES: Final = (
    "apis.predict", "apis.get_model_metadata", "apis.get_model_status", "apis.classification",
    "apis.regression", "apis.inference", "apis.prediction_log", "apis.model_management",
    "config.model_server_config",
)  # fmt: skip


def collect_descriptors() -> Any:
    """Returns a `FileDescriptorSet` of all messages of the API and all that they refer to."""
    files: dict[str, Any] = {}
    for name in _MODULES:
        _add_file(importlib.import_module(f"tensorflow_serving.{name}_pb2").DESCRIPTOR, files)
    _add_file(wrappers_pb2.DESCRIPTOR, files)
    for proto in declare_files():
        files[proto.name] = proto
    return descriptor_pb2.FileDescriptorSet(file=files.values())


def _add_file(file: Any, files: dict[str, Any]) -> None:
    if file.name in files:
        return
    for dependency in file.dependencies:
        _add_file(dependency, files)
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    files[file.name] = proto


def main() -> None:
    """Writes the file beside this module and prints its size."""
    path = Path(__file__).with_name(DESCRIPTOR_FILE)
    size = path.write_bytes(collect_descriptors().SerializeToString(deterministic=True))
    print(f"{path.name}: {size} bytes")


if __name__ == "__main__":
    main()

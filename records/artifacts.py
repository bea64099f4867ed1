"""Artifacts as records see them: custom properties, and a folder."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

Record = TypeVar("Record")


def set_properties(artifact: "Artifact", values: Mapping[str, Any]) -> None:
    """Sets custom properties of an artifact: integers as they are, all else as text."""
    for name, value in values.items():
        if isinstance(value, int):
            artifact.set_int_custom_property(name, value)
        else:
            artifact.set_string_custom_property(name, str(value))


def read_properties(artifact: "Artifact") -> dict[str, Any]:
    """Custom properties of an artifact by name; within a step on Kubeflow, numbers are floats."""
    custom = artifact.mlmd_artifact.custom_properties
    values = read_values(custom)
    for name, value in custom.items():
        if value.HasField("struct_value"):
            values[name] = artifact.get_json_value_custom_property(name)
    return values


def read_values(custom_properties: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ML Metadata's properties by name, without those that are not set."""
    return {
        name: getattr(value, kind)
        for name, value in custom_properties.items()
        if (kind := value.WhichOneof("value"))
    }


def find_record(
    read: Callable[[Mapping[str, Any]], Record | None], artifacts: Iterable["Artifact"]
) -> Record | None:
    """The first record in the artifacts' custom properties, or None."""
    records = (read(read_properties(artifact)) for artifact in artifacts)
    return next((record for record in records if record is not None), None)


def find_file(
    file: str, read: Callable[[Path], Record], artifacts: Iterable["Artifact"]
) -> Record | None:
    """The record in the first of the artifacts' folders that holds a file of this name, or None."""
    folders = (Path(artifact.uri) for artifact in artifacts)
    return next((read(folder) for folder in folders if (folder / file).is_file()), None)

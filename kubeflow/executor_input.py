"""What Kubeflow tells a step, as TFX's objects, and what the step answers.

Kubeflow's message is an `ExecutorInput`, of which open-source versions leave out the types of the
input artifacts; the specification of the component, which TFX puts on the command line, has them.
Kubeflow's launcher copies artifacts of an object store to local folders before the step begins, and
what the step has written to such folders back: executors see the folders, Kubeflow sees URIs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

import darkroom
from darkroom.kubeflow.light_imports import import_tfx_types
from darkroom.kubeflow.values import put_values
from darkroom.records.artifacts import read_properties, set_properties

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

LOCAL_ROOTS: Final = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
"""Scheme to the folder below which Kubeflow's launcher puts such artifacts."""

Artifacts = dict[str, list["Artifact"]]


class ExecutorInputError(Exception):
    """Kubeflow's message does not fit the step; the text says how."""


@dataclass
class StepInput:
    """What a step works on.

    Attributes:
        outputs: Output artifacts by name, still empty.
        output_file: Where Kubeflow looks for the answer.
        uris: Of the output artifacts, as Kubeflow knows them, by name.
        input_uris: Of the input artifacts, likewise.
    """

    inputs: Artifacts
    outputs: Artifacts
    properties: dict[str, Any]
    output_file: Path
    uris: dict[str, list[str]]
    input_uris: dict[str, list[str]]


def to_local_path(uri: str) -> str:
    """Returns where Kubeflow's launcher keeps an artifact; paths stay what they are.

    >>> to_local_path("minio://bucket/run/model")
    '/minio/bucket/run/model'
    """
    for scheme, root in LOCAL_ROOTS.items():
        if uri.startswith(scheme):
            return root + uri.removeprefix(scheme)
    return uri


def read_step_input(
    invocation: str,
    inputs_spec: str = "{}",
    outputs_spec: str = "{}",
    places: str = "{}",
    local: bool = True,
) -> StepInput:
    """Reads what Kubeflow tells a step.

    Args:
        invocation: JSON of the `ExecutorInput`.
        inputs_spec: JSON of the component's `ComponentInputsSpec`.
        outputs_spec: JSON of its `ComponentOutputsSpec`; outputs that it does not name are not
            the step's.
        places: JSON: parameter to the places of its value among the execution properties.
        local: Whether artifacts are given local paths instead of URIs.

    Raises:
        ExecutorInputError: An artifact's type, or an input, is missing.
    """
    message = json.loads(invocation)
    specified = json.loads(inputs_spec)
    declared = json.loads(outputs_spec)
    outputs = message.get("outputs", {})
    if "outputFile" not in outputs:
        raise ExecutorInputError("the invocation has no outputs.outputFile")
    # Kubeflow adds one of its own, `executor-logs`: a file, which its launcher writes.
    produced = {
        name: entry
        for name, entry in outputs.get("artifacts", {}).items()
        if name in declared.get("artifacts", {})
    }
    return StepInput(
        _read_artifacts(message.get("inputs", {}).get("artifacts", {}), specified, local),
        _read_artifacts(produced, declared, local),
        _read_properties(
            message.get("inputs", {}).get("parameterValues", {}),
            specified.get("parameters", {}),
            json.loads(places),
        ),
        Path(outputs["outputFile"]),
        _read_uris(produced),
        _read_uris(message.get("inputs", {}).get("artifacts", {})),
    )


def make_output_folders(step: StepInput) -> None:
    """Makes the folders of a step's outputs, so that no executor has to."""
    for artifacts in step.outputs.values():
        for artifact in artifacts:
            if "://" not in artifact.uri:
                Path(artifact.uri).mkdir(parents=True, exist_ok=True)


def write_step_output(step: StepInput) -> None:
    """Writes the `ExecutorOutput`: properties of the output artifacts, and Kubeflow's URIs."""
    answer = {
        "artifacts": {
            name: {
                "artifacts": [
                    {"uri": uri, "metadata": read_metadata(artifact)}
                    for artifact, uri in zip(artifacts, step.uris[name], strict=True)
                ]
            }
            for name, artifacts in step.outputs.items()
        }
    }
    step.output_file.parent.mkdir(parents=True, exist_ok=True)
    step.output_file.write_text(json.dumps(answer), encoding="utf-8")


def restore_artifacts(answer: Mapping[str, Any], outputs_spec: Mapping[str, Any]) -> Artifacts:
    """Returns the output artifacts that `write_step_output` has described.

    Args:
        answer: The `ExecutorOutput`.
        outputs_spec: The component's `ComponentOutputsSpec`.
    """
    restored: Artifacts = {}
    for name, entry in answer["artifacts"].items():
        type_ = outputs_spec["artifacts"][name]["artifactType"]
        restored[name] = []
        for message in entry["artifacts"]:
            artifact = _find_class(name, type_)()
            artifact.uri = message["uri"]
            set_properties(artifact, message["metadata"])
            restored[name].append(artifact)
    return restored


def read_metadata(artifact: "Artifact") -> dict[str, Any]:
    """Returns the properties of an artifact, both kinds, by name."""
    declared = {name: getattr(artifact, name) for name in artifact.mlmd_artifact.properties}
    return declared | read_properties(artifact)


def _read_uris(listed: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        name: [artifact["uri"] for artifact in entry.get("artifacts", ())]
        for name, entry in listed.items()
    }


def _read_artifacts(
    listed: Mapping[str, Any], specification: Mapping[str, Any], local: bool
) -> Artifacts:
    specified = specification.get("artifacts", {})
    return {
        name: [
            _read_artifact(name, each, specified.get(name, {}).get("artifactType", {}), local)
            for each in entry.get("artifacts", ())
        ]
        for name, entry in listed.items()
    }


def _read_artifact(
    name: str, message: Mapping[str, Any], type_: Mapping[str, str], local: bool
) -> "Artifact":
    artifact = _find_class(name, type_)()
    artifact.uri = to_local_path(message["uri"]) if local else message["uri"]
    declared = artifact.PROPERTIES or {}
    for key, value in message.get("metadata", {}).items():
        if key in declared:
            # Kubeflow's numbers are all floating-point.
            setattr(artifact, key, int(value) if isinstance(value, float) else value)
        elif value is not None:
            # Integers as TFX's JSON properties have them: floating-point.
            number = float(value) if type(value) is int else value
            artifact.set_json_value_custom_property(key, number)
    # Reading the message writes what has been set into it, where the getters look.
    _ = artifact.mlmd_artifact
    return artifact


def _find_class(name: str, type_: Mapping[str, str]) -> "type[Artifact]":
    if "instanceSchema" in type_:
        title = yaml.safe_load(type_["instanceSchema"]).get("title", "")
    else:
        title = type_.get("schemaTitle", "")
    module, _, class_name = title.rpartition(".")
    standard = import_tfx_types()
    if module == "tfx" and hasattr(standard, class_name):
        return getattr(standard, class_name)
    if module == "darkroom" and hasattr(darkroom, class_name):
        return getattr(darkroom, class_name)
    raise ExecutorInputError(f"artifact {name!r} is of type {title!r}, which TFX does not know")


def _read_properties(
    values: Mapping[str, Any], specified: Mapping[str, Any], places: Mapping[str, Any]
) -> dict[str, Any]:
    typed = {
        name: int(value)
        if specified.get(name, {}).get("parameterType") == "NUMBER_INTEGER"
        else value
        for name, value in values.items()
        if value is not None
    }
    properties = {name: value for name, value in typed.items() if name not in places}
    for name, found in places.items():
        if name not in typed:
            raise ExecutorInputError(f"the invocation has no parameter {name!r}")
        put_values(properties, found, typed[name])
    return properties

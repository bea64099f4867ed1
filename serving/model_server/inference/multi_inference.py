"""Multi-inference: the same examples classified and regressed by several signatures of a model.

The texts are TensorFlow Serving's.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from darkroom.serving import protos
from darkroom.serving.model_server.errors import InvalidArgument, Unimplemented
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.inference.classify import classify
from darkroom.serving.model_server.inference.examples import (
    estimate_bytes,
    fill_model_spec,
    read_examples,
    run_examples,
)
from darkroom.serving.model_server.inference.regress import regress
from darkroom.serving.model_server.inference.signature_checks import DEFAULT_SIGNATURE
from darkroom.serving.model_server.models.leases import LoadedVersion

_APIS: Final = {api.method: api for api in (classify, regress)}


async def multi_inference(
    loaded: LoadedVersion, request: Any, check_method_name: bool = False
) -> Any:
    """Returns the `MultiInferenceResponse` to a request: a result for each task.

    The tasks name signatures of this one model; those of another method may be refused.

    Raises:
        InvalidArgument: A task without a model's name, of another model, of a signature that
            another task has named, or that is not of the method's form; or no examples.
        Unimplemented: A task that is neither to classify nor to regress.
    """
    names = _check_tasks(loaded.servable.signature_defs, request.tasks, check_method_name)
    examples = await read_examples(request.input)
    all_outputs = await _run_all(loaded, names, examples)
    response = protos.create_message("MultiInferenceResponse")
    for task, name, outputs in zip(request.tasks, names, all_outputs, strict=True):
        api, result = _APIS[task.method_name], response.results.add()
        part = getattr(result, f"{api.kind}_result")
        await call_by_size(estimate_bytes(outputs), api.fill, part, outputs, len(examples))
        fill_model_spec(result.model_spec, task.model_spec.name, name, loaded.version)
    return response


async def _run_all(
    loaded: LoadedVersion, names: list[str], examples: np.ndarray
) -> list[Mapping[str, np.ndarray]]:
    runs = (run_examples(loaded.servable, name, examples) for name in names)
    # All of them end before the version may be let go, also where one fails.
    all_outputs = await asyncio.gather(*runs, return_exceptions=True)
    for outputs in all_outputs:
        if isinstance(outputs, BaseException):
            raise outputs
    return all_outputs  # type: ignore[return-value]


def _check_tasks(
    signature_defs: Mapping[str, Any], tasks: Any, check_method_name: bool
) -> list[str]:
    """Returns the name of each task's signature."""
    names: list[str] = []
    for task in tasks:
        _check_model_name(task.model_spec.name, tasks[0].model_spec.name)
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in names:
            raise InvalidArgument(f"Duplicate evaluation of signature: {name}")
        if name not in signature_defs:
            raise InvalidArgument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _APIS:
            raise Unimplemented(f"Unsupported signature method_name: {task.method_name}")
        _APIS[task.method_name].check(signature_defs[name], check_method_name)
        names.append(name)
    return names


def _check_model_name(name: str, first: str) -> None:
    if not name:
        raise InvalidArgument("Found ModelSpec with an empty model name.")
    if name != first:
        raise InvalidArgument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )

"""Multi-inference: the same examples classified and regressed by several signatures of a model.

The texts are TensorFlow Serving's.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving import protos
from serving.model_server.errors import InvalidArgument, Unimplemented
from serving.model_server.event_loop import call_by_size
from serving.model_server.inference.classify import check_classification, fill_classifications
from serving.model_server.inference.examples import (
    estimate_bytes,
    fill_model_spec,
    read_examples,
    run_examples,
)
from serving.model_server.inference.regress import check_regression, fill_regressions
from serving.model_server.inference.signature_checks import (
    CLASSIFY_METHOD,
    DEFAULT_SIGNATURE,
    REGRESS_METHOD,
)
from serving.model_server.models.leases import LoadedVersion


async def multi_inference(
    loaded: LoadedVersion, request: Any, check_method_name: bool = False
) -> Any:
    """Answers a `MultiInferenceRequest`.

    Args:
        loaded: The version to ask.
        request: The request message; its tasks name signatures of this one model.
        check_method_name: Whether to refuse a signature of another method than its task's.

    Returns:
        `MultiInferenceResponse`, a result for each task.

    Raises:
        InvalidArgument: A task without a model's name, of another model, of a signature that
            another task has named, or that is not of the method's form; or no examples.
        Unimplemented: A task that is neither to classify nor to regress.
        Exception: Whatever the model raises.
    """
    names = _check_tasks(loaded.servable.signature_defs, request.tasks, check_method_name)
    examples = await read_examples(request.input)
    all_outputs = await _run_all(loaded, names, examples)
    response = protos.message_class("tensorflow.serving.MultiInferenceResponse")()
    for task, name, outputs in zip(request.tasks, names, all_outputs, strict=True):
        result = response.results.add()
        size = estimate_bytes(outputs)
        await call_by_size(size, _fill, result, task.method_name, outputs, len(examples))
        fill_model_spec(result.model_spec, task.model_spec.name, name, loaded.version)
    return response


def _fill(result: Any, method: str, outputs: Mapping[str, np.ndarray], num_examples: int) -> None:
    if method == CLASSIFY_METHOD:
        fill_classifications(result.classification_result, outputs, num_examples)
    else:
        fill_regressions(result.regression_result, outputs, num_examples)


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
        _check_signature(signature_defs[name], task.method_name, check_method_name)
        names.append(name)
    return names


def _check_model_name(name: str, first: str) -> None:
    if not name:
        raise InvalidArgument("Found ModelSpec with an empty model name.")
    if name != first:
        raise InvalidArgument(
            "All ModelSpecs in a MultiInferenceRequest must access the same model name."
        )


def _check_signature(signature: Any, method: str, check_method_name: bool) -> None:
    if method == CLASSIFY_METHOD:
        check_classification(signature, check_method_name)
    elif method == REGRESS_METHOD:
        check_regression(signature, check_method_name)
    else:
        raise Unimplemented(f"Unsupported signature method_name: {method}")

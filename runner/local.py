"""TFX's local runner, with a look at every node.

`LocalDagRunner` has no seam for progress, and it returns normally when a node's inputs did not
resolve; so its loop over the nodes is written again here, on the same launcher.
"""

import functools
import logging
import time
import traceback
from collections.abc import Callable, Collection
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import local_dag_runner, runner_utils
from tfx.orchestration.portable import launcher, outputs_utils, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from darkroom.records.run import NodeResult, NodeState
from darkroom.runner.disk import DiskFullError
from darkroom.runner.interruption import is_interrupted
from darkroom.storage.errors import first_line

Explain = Callable[[BaseException], str]

_STATES: dict[int, NodeState] = {
    metadata_store_pb2.Execution.COMPLETE: "run",
    metadata_store_pb2.Execution.CACHED: "cached",
}


class ProgressRunner(local_dag_runner.LocalDagRunner):
    """Runs a pipeline node by node and stops at the first that fails.

    Args:
        run_id: Name of the run in ML Metadata.
        uncached: Ids of the nodes that must never come from the cache.
        on_end: Called with a node's result.
        on_start: Called with a node's id before it is looked at.
        explain: Words for the user about what a node raised; empty: the error's own.
    """

    def __init__(
        self,
        run_id: str,
        uncached: Collection[str],
        on_end: Callable[[NodeResult], None],
        explain: Explain = lambda error: "",
        on_start: Callable[[str], None] = lambda name: None,
    ):
        super().__init__()
        self._run_id = run_id
        self._uncached = frozenset(uncached)
        self._on_end = on_end
        self._on_start = on_start
        self._explain = explain
        self.ran = False
        """Whether the pipeline was run: the `tfx pipeline` commands only look at it."""

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
    ) -> None:
        """Runs a compiled pipeline.

        Args:
            pipeline: TFX's intermediate representation; changed in place.
            run_options: Not supported.

        Raises:
            KeyboardInterrupt: The process was told to stop; the node that ran has been cleaned up.
            ValueError: `run_options` is given.
        """
        if run_options is not None:
            raise ValueError("partial runs are not supported: run the whole pipeline, cached")
        self.ran = True
        run_parameter = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        runtime_parameter_utils.substitute_runtime_parameter(pipeline, run_parameter)
        for node in pipeline.nodes:
            self._on_start(node.pipeline_node.node_info.id)
            result = self._run_node(pipeline, node.pipeline_node)
            self._on_end(result)
            if is_interrupted() or result.state == "interrupted":
                raise KeyboardInterrupt
            if result.state == "failed":
                return

    def _run_node(self, pipeline: Any, node: Any) -> NodeResult:
        name = node.node_info.id
        if name in self._uncached:
            node.execution_options.caching_options.enable_cache = False
        started = time.perf_counter()
        arguments = launcher_arguments(pipeline, node)
        connection = arguments["mlmd_connection"]
        try:
            info = _Launcher(self._explain, **arguments).launch()
        except (Exception, KeyboardInterrupt) as error:  # Executors may raise anything.
            return self._failure(name, time.perf_counter() - started, error)
        seconds = time.perf_counter() - started
        if info is None:
            return NodeResult(name, seconds, "failed", "its inputs are not there")
        return _final_result(connection, name, seconds, info.execution_id)

    def _failure(self, name: str, seconds: float, error: BaseException) -> NodeResult:
        if is_interrupted() or isinstance(error, KeyboardInterrupt | _Interrupted):
            return NodeResult(name, seconds, "interrupted", "interrupted")
        logging.error("%s failed", name, exc_info=error)
        words = self._explain(error) or first_line(error)
        trace = "".join(traceback.format_exception(error))
        return NodeResult(name, seconds, "failed", words, trace=trace)


class _Interrupted(Exception):
    """The interrupt of a node, as an error: TFX cleans up after nothing else."""


class _Launcher(launcher.Launcher):
    """TFX's, with two more cases of cleaning up.

    Args:
        explain: Words for an error, asked before the node's outputs are removed; may be empty.
    """

    def __init__(self, explain: Explain, **arguments: Any):
        super().__init__(**arguments)
        self._explain = explain

    def _run_executor(self, execution_info: Any) -> Any:
        operator = self._executor_operator
        operator.run_executor = functools.partial(self._work, operator.run_executor)
        return super()._run_executor(execution_info)

    def _work(self, work: Callable[[Any], Any], execution_info: Any) -> Any:
        try:
            return work(execution_info)
        except KeyboardInterrupt as interrupt:
            raise _Interrupted from interrupt
        except Exception as error:
            words = self._explain(error)
            if words:
                raise DiskFullError(words) from error
            raise

    def _publish_successful_execution(
        self, execution_id: int, contexts: Any, output_dict: Any, executor_output: Any
    ) -> None:
        """Outputs that ML Metadata does not know, on a full disk for one, are of no use."""
        try:
            super()._publish_successful_execution(
                execution_id, contexts, output_dict, executor_output
            )
        except Exception:
            with self._mlmd_connection as handle:
                (execution,) = handle.store.get_executions_by_id([execution_id])
            if execution.last_known_state not in _STATES:
                outputs_utils.remove_output_dirs(output_dict)
            raise


def launcher_arguments(pipeline: Any, node: Any) -> dict[str, Any]:
    """What TFX's launcher takes for a node of a compiled pipeline."""
    deployment = runner_utils.extract_local_deployment_config(pipeline)
    connection = deployment.metadata_connection_config
    config = getattr(connection, connection.WhichOneof("connection_config"))
    name = node.node_info.id
    return {
        "pipeline_node": node,
        "mlmd_connection": metadata.Metadata(config),
        "pipeline_info": pipeline.pipeline_info,
        "pipeline_runtime_spec": pipeline.runtime_spec,
        "executor_spec": runner_utils.extract_executor_spec(deployment, name),
        "custom_driver_spec": runner_utils.extract_custom_driver_spec(deployment, name),
    }


def _final_result(
    connection: metadata.Metadata, name: str, seconds: float, execution_id: int
) -> NodeResult:
    with connection as handle:
        (execution,) = handle.store.get_executions_by_id([execution_id])
        state = _STATES.get(execution.last_known_state, "failed")
        outputs = execution_lib.get_output_artifacts(handle, execution_id)
    error = "ML Metadata says that it did not complete" if state == "failed" else ""
    return NodeResult(name, seconds, state, error, {key: list(v) for key, v in outputs.items()})

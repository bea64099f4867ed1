"""The DAG, one for both runtimes, and running it on this machine.

Usage:
    .venv/bin/python pipeline.py --config configs/digits.yaml

Exit codes: 0 pushed or unchanged, 1 failed, 2 bad configuration or data location, 3 not blessed,
4 withdrawn.
"""

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from darkroom.components.cache_key import complete_key
from darkroom.components.errors import ComponentError
from darkroom.components.image_example_gen.check import DataOverview, check
from darkroom.components.image_example_gen.data_set import keep_open
from darkroom.components.nodes import NODES, STATES
from darkroom.components.run_report.data import Request
from darkroom.components.run_report.local_run import make_pages
from darkroom.components.source import SourceTree
from darkroom.recipe import ConfigError, Recipe, load_recipe
from darkroom.runner.commit import find_commit
from darkroom.runner.disk import list_disks
from darkroom.runner.interpreter import importing, leave
from darkroom.runner.interruption import interruptible, is_interrupted
from darkroom.runner.options import add_run_arguments
from darkroom.runner.output import logged_to
from darkroom.runner.run import LocalRun, run_locally
from darkroom.runner.session import LOADING, RunError, RunPlace, exit_code, refuse_busy
from darkroom.runner.terminal import Terminal
from darkroom.storage.errors import StorageError
from darkroom.trainer.errors import WeightsError
from darkroom.trainer.weights_check import check_weights

if TYPE_CHECKING:
    from tfx.dsl.components.base.base_node import BaseNode
    from tfx.orchestration.pipeline import Pipeline
    from tfx.types.channel import BaseChannel

CONFIG_VARIABLE = "DARKROOM_CONFIG"
DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs" / "digits.yaml"
EXIT_FAILED = 1
EXIT_BAD_CONFIG = 2


class InputState(NamedTuple):
    """What the world outside the recipe holds; part of cache keys.

    Attributes:
        data_fingerprint: Of the data folder's content; empty: read when ImageExampleGen runs.
        served_version: Name of what is now served; empty: read when BaselineModel runs.
    """

    data_fingerprint: str = ""
    served_version: str = ""


class _Data(NamedTuple):
    examples: "BaseChannel"
    schema: "BaseChannel"
    quarantine: "BaseChannel"
    statistics: "BaseChannel"
    anomalies: "BaseChannel"
    gate: "BaseNode"
    nodes: list["BaseNode"]


class _Trained(NamedTuple):
    model: "BaseChannel"
    model_run: "BaseChannel"
    transform_graph: "BaseChannel"
    nodes: list["BaseNode"]


def create_pipeline(recipe: Recipe, state: InputState, root: str, metadata: str = "") -> "Pipeline":
    """Builds the DAG.

    Args:
        root: Where artifacts go: a folder, or a URI on Kubeflow Pipelines.
        metadata: Path of ML Metadata's SQLite file, for a local run.
    """
    from tfx.orchestration import metadata as ml_metadata
    from tfx.orchestration.pipeline import Pipeline

    data = _validate_data(recipe, state)
    trained = _train(recipe, data)
    nodes = [*data.nodes, *trained.nodes, *_judge_and_push(recipe, state, data, trained)]
    tree = SourceTree()
    for node in nodes:
        complete_key(node, tree, NODES[node.id].find_file(recipe))
    connection = ml_metadata.sqlite_metadata_connection_config(metadata) if metadata else None
    return Pipeline(
        pipeline_name=recipe.name,
        pipeline_root=root,
        components=nodes,
        enable_cache=True,
        metadata_connection_config=connection,
        beam_pipeline_args=list(recipe.beam_pipeline_args),
    )


def _validate_data(recipe: Recipe, state: InputState) -> _Data:
    from tfx.components.example_validator.component import ExampleValidator
    from tfx.components.schema_gen.component import SchemaGen
    from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
    from tfx.components.statistics_gen.component import StatisticsGen

    from darkroom.components.data_gate.component import DataGate
    from darkroom.components.image_example_gen.component import ImageExampleGen
    from darkroom.components.validation import image_stats_options

    ingest = ImageExampleGen(recipe.data, state.data_fingerprint)
    examples = ingest.outputs["examples"]
    quarantine = ingest.outputs["quarantine"]
    statistics = StatisticsGen(
        examples, stats_options=image_stats_options(recipe.data.metadata_columns)
    )
    schema = (
        ImportSchemaGen(schema_file=str(recipe.validation.schema_path))
        if recipe.validation.schema_path
        else SchemaGen(statistics.outputs["statistics"], exclude_splits=["eval", "test"])
    )
    validator = ExampleValidator(statistics.outputs["statistics"], schema.outputs["schema"])
    anomalies = validator.outputs["anomalies"]
    gate = DataGate(
        quarantine,
        anomalies,
        recipe.data.max_quarantined,
        recipe.validation.fatal,
        recipe.validation.fatal_features,
    )
    nodes = [ingest, statistics, schema, validator, gate]
    return _Data(
        examples,
        schema.outputs["schema"],
        quarantine,
        statistics.outputs["statistics"],
        anomalies,
        gate,
        nodes,
    )


def _train(recipe: Recipe, data: _Data) -> _Trained:
    from tfx.components.trainer.component import Trainer
    from tfx.components.transform.component import Transform
    from tfx.proto import trainer_pb2

    section = recipe.transform.model_dump(mode="json")
    transform = Transform(
        data.examples,
        data.schema,
        preprocessing_fn="darkroom.transform.preprocessing.preprocessing_fn",
        custom_config={"transform": section},
        materialize=recipe.transform.materialize,
        # They would count and sample every image's bytes, before and after.
        disable_statistics=True,
    )
    transform.add_upstream_node(data.gate)
    trainer = Trainer(
        examples=transform.outputs["transformed_examples"]
        if recipe.transform.materialize
        else data.examples,
        transform_graph=transform.outputs["transform_graph"],
        schema=data.schema,
        run_fn="darkroom.trainer.run.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={"trainer": recipe.trainer.model_dump(mode="json"), "transform": section},
    )
    return _Trained(
        trainer.outputs["model"],
        trainer.outputs["model_run"],
        transform.outputs["transform_graph"],
        [transform, trainer],
    )


def _judge_and_push(
    recipe: Recipe, state: InputState, data: _Data, trained: _Trained
) -> list["BaseNode"]:
    from darkroom.components.baseline_model.component import BaselineModel
    from darkroom.components.evaluator.component import Evaluator
    from darkroom.components.pusher.component import Pusher
    from darkroom.components.run_report.component import RunReport
    from darkroom.components.serving_check.component import ServingCheck

    baseline = BaselineModel(recipe.push.destination, state.served_version)
    evaluator = Evaluator(
        data.examples,
        trained.model,
        baseline.outputs["model"],
        trained.transform_graph,
        recipe.evaluation,
    )
    serving_check = ServingCheck(trained.model, data.examples)
    pusher = Pusher(
        trained.model,
        data.examples,
        evaluator.outputs["blessing"],
        serving_check.outputs["blessing"],
        evaluator.outputs["evaluation_result"],
        recipe.push,
        recipe.name,
    )
    report = RunReport(
        examples=data.examples,
        model=trained.model,
        evaluation=evaluator.outputs["evaluation_result"],
        pushed_model=pusher.outputs["pushed_model"],
        pipeline=recipe.name,
        recipe=recipe.model_dump_json(),
        infra_blessing=serving_check.outputs["blessing"],
        quarantine=data.quarantine,
        statistics=data.statistics,
        anomalies=data.anomalies,
        model_run=trained.model_run,
    )
    return [baseline, evaluator, serving_check, pusher, report]


def run(
    recipe: Recipe,
    config_path: str,
    verbose: bool = False,
    quiet: bool = False,
    assignments: Sequence[str] = (),
) -> dict[str, Any] | None:
    """Runs the DAG on this machine.

    Args:
        config_path: Where the recipe was read from; goes into the summary.
        verbose: Whether what the libraries say while they are loaded, and a failed node's trace,
            go to the terminal too, not only into the log.
        quiet: Whether nothing is shown before the end.
        assignments: What stood in the place of the recipe's values, each FIELD=VALUE.

    Returns:
        The summary (`runner/summary.py`), or None where TFX's command only looked at the DAG.

    Raises:
        ComponentError: The data cannot be used; nothing was written.
        StorageError: The place of the data or of the models cannot be used; likewise.
        ConfigError: The weights to start from cannot be had; nothing was written.
        KeyboardInterrupt: The process was told to stop before the run began.
        RunError: The run cannot be started, or its summary cannot be written.
    """
    home = recipe.runs_folder.resolve() / recipe.name
    refuse_busy(home)
    with keep_open(recipe.data):
        found = _look(recipe, quiet)
        request = _describe_request(recipe, config_path, assignments, found.state)
        return run_locally(_plan(recipe, request, found, home), verbose, quiet)


class _Found(NamedTuple):
    overview: DataOverview
    state: InputState
    said: str


def _look(recipe: Recipe, quiet: bool) -> _Found:
    """Looks at the world outside the recipe; what the libraries say meanwhile is kept."""
    terminal = Terminal(sys.stdout, quiet=quiet)
    with terminal.doing("listing the data"):
        overview = check(recipe.data)
    said = _check_weights(recipe, quiet)
    with terminal.doing("looking for what has changed"):
        state = InputState(**{state.name: state.read(recipe) for state in STATES})
    return _Found(overview, state, said)


def _plan(recipe: Recipe, request: Request, found: _Found, home: Path) -> LocalRun:
    return LocalRun(
        home=home,
        build=lambda place: create_pipeline(
            recipe, found.state, str(place.artifacts), str(place.metadata)
        ),
        uncached=[name for name, node in NODES.items() if not node.is_cached],
        disks=list_disks(home, recipe.push.destination),
        facts=request.facts,
        pages=lambda run: make_pages(run, request=request),
        rows=found.overview.rows,
        classes=len(found.overview.images_by_label),
        notes=found.overview.notes,
        said=found.said,
    )


def _describe_request(
    recipe: Recipe, config_path: str, assignments: Sequence[str], state: InputState
) -> Request:
    path = Path(config_path)
    return Request(
        pipeline=recipe.name,
        recipe=recipe.model_dump(mode="json"),
        config=config_path,
        folder=str(Path.cwd()),
        text=path.read_text(encoding="utf-8") if path.is_file() else "",
        assignments=tuple(assignments),
        commit=find_commit(path.resolve().parent),
        data=state.data_fingerprint,
    )


def show_plan(recipe: Recipe) -> int:
    """Prints what a run would do, a line a node; writes nothing. Returns exit code 0."""
    with keep_open(recipe.data):
        state = _look(recipe, quiet=False).state
    place = RunPlace(recipe.runs_folder.resolve() / recipe.name, "")
    with logged_to(Path(os.devnull)) as stream, importing(), Terminal(stream).doing(LOADING):
        from darkroom.runner.dry_run import plan_run

        pipeline = create_pipeline(recipe, state, str(place.artifacts), str(place.metadata))
        planned = plan_run(pipeline, [name for name, node in NODES.items() if not node.is_cached])
    terminal = Terminal(sys.stdout)
    for node in planned:
        terminal.say(f"{node.name:<18}{'cached' if node.cached else f'runs: {node.reason}'}")
    return 0


def _check_weights(recipe: Recipe, quiet: bool) -> str:
    """Returns what the libraries said: there is no log yet, and a refusal leaves nothing behind."""
    size = recipe.transform.image_height, recipe.transform.image_width
    with tempfile.NamedTemporaryFile() as said:
        with logged_to(Path(said.name)) as stream, importing():
            try:
                with Terminal(stream, quiet=quiet).doing("loading TensorFlow and the weights"):
                    check_weights(recipe.trainer, *size)
            except WeightsError as error:
                raise ConfigError(str(error)) from error
        return said.read().decode(errors="replace")


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, runs the DAG, returns the exit code."""
    try:
        return run_command(_parse(arguments))
    except KeyboardInterrupt:
        return EXIT_FAILED


def run_command(options: argparse.Namespace) -> int:
    """Runs the DAG as a command line says; returns the exit code.

    Args:
        options: `config`, and what `runner.options.add_run_arguments` declares.

    Raises:
        KeyboardInterrupt: The process was told to stop, and what it was doing has been ended.
    """
    config_path = options.config or os.environ.get(CONFIG_VARIABLE) or str(DEFAULT_CONFIG)
    try:
        with interruptible():
            recipe = load_recipe(Path(config_path), options.set)
            if options.dry_run:
                return show_plan(recipe)
            summary = run(recipe, config_path, options.verbose, options.quiet, options.set)
            interrupted = is_interrupted()
    except (ConfigError, ComponentError, StorageError) as error:
        return _refuse(error, options.verbose, EXIT_BAD_CONFIG)
    except (RunError, OSError) as error:
        return _refuse(error, options.verbose, EXIT_FAILED)
    except KeyboardInterrupt:
        stopped = RunError("interrupted before the run began; nothing was written")
        _refuse(stopped, options.verbose, EXIT_FAILED)
        raise
    if interrupted:
        raise KeyboardInterrupt
    return exit_code(summary["status"]) if summary else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Runs the pipeline of a recipe on this machine.",
        epilog="Exit codes: 0 pushed or unchanged, 1 failed, 2 bad recipe, 3 not blessed, "
        "4 withdrawn.",
    )
    parser.add_argument(
        "--config", help=f"the recipe (else ${CONFIG_VARIABLE}, else configs/digits.yaml)"
    )
    add_run_arguments(parser)
    return parser.parse_args(arguments)


def _refuse(error: Exception, verbose: bool, code: int) -> int:
    if verbose:
        traceback.print_exception(error)
    Terminal(sys.stderr).say(f"error: {error}")
    return code


if __name__ == "__main__":
    leave(main())

"""Told to stop in the middle of a node, on TFX's own launcher with nodes that take no time."""

import contextlib
import itertools
import json
import os
import signal
import time
from pathlib import Path

import pytest
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from darkroom import pipeline
from darkroom.commands.main import main
from darkroom.runner.interruption import interruptible, is_interrupted, uninterrupted
from darkroom.tests.workspace import Workspace

# Of TFX's own code with protobuf 6, which gives our module as the place.
pytestmark = pytest.mark.filterwarnings("ignore:label:DeprecationWarning")


def stop():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def stop_twice():
    try:
        stop()
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)


def swallow():
    with contextlib.suppress(BaseException):
        stop()


def mistake():
    try:
        stop()
    except BaseException as error:
        raise ImportError("a module is broken") from error


def fail():
    raise ValueError("no <more>")


ACTS = {act.__name__: act for act in (stop, stop_twice, swallow, mistake, fail)}


class Executor(base_executor.BaseExecutor):
    def Do(self, input_dict, output_dict, exec_properties):
        folder = Path(artifact_utils.get_single_uri(output_dict["model"]))
        (folder / "half").write_text("half")
        ACTS.get(exec_properties["act"], lambda: None)()


class NodeSpec(ComponentSpec):
    PARAMETERS = {"act": ExecutionParameter(type=str)}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}


class Node(base_component.BaseComponent):
    SPEC_CLASS = NodeSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, act):
        super().__init__(NodeSpec(act=act, model=Channel(type=standard_artifacts.Model)))


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, per_class=2)


@pytest.fixture
def run(workspace, monkeypatch):
    """Runs a pipeline of three nodes, of which the second does something."""

    def run(act):
        names = {"First": "nothing", "Second": act, "Third": "nothing"}
        nodes = [Node(each).with_id(name) for name, each in names.items()]
        for before, after in itertools.pairwise(nodes):
            after.add_upstream_node(before)

        def create(recipe, state, root, metadata):
            return Pipeline(
                pipeline_name="small",
                pipeline_root=root,
                components=nodes,
                enable_cache=True,
                metadata_connection_config=sqlite_metadata_connection_config(metadata),
            )

        monkeypatch.setattr(pipeline, "create_pipeline", create)
        return pipeline.main(["--config", str(workspace.write_recipe())])

    return run


@pytest.mark.parametrize("act", ["stop", "stop_twice", "swallow", "mistake"])
def test_sigterm_leaves_a_summary_and_nothing_half_and_the_next_run_goes_on(run, workspace, act):
    before = signal.getsignal(signal.SIGTERM)
    assert run(act) == 1
    assert signal.getsignal(signal.SIGTERM) is before
    summary = workspace.summary()
    assert summary["status"] == "failed"
    assert summary["error"] == "interrupted; the next run goes on from the nodes that ended"
    assert [node["name"] for node in summary["components"]] == ["First", "Second"]
    assert Path(summary["report"]).is_file()
    halves = list((workspace.runs / "small" / "artifacts" / "Second").rglob("half"))
    assert len(halves) == (1 if act == "swallow" else 0), "a node that ended all the same is whole"
    assert run("fail") == 1
    again = {node["name"]: node["cached"] for node in workspace.summary()["components"]}
    assert again == {"First": True, "Second": False}


def test_a_failed_run_has_a_report_that_latest_leads_to(run, workspace):
    assert run("fail") == 1
    latest = workspace.runs / "small" / "latest"
    summary = workspace.summary()
    assert summary["error"] == "Second: no <more>"
    assert Path(summary["report"]) == latest.resolve() / "report.html"
    page = (latest / "report.html").read_text()
    assert "ValueError: no &lt;more&gt;" in page, "the trace's last line"
    assert "Third" in page


def test_before_the_run_it_is_one_line_and_nothing_is_written(workspace, capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "check", lambda data: stop())
    recipe = workspace.write_recipe()
    before = sorted(workspace.folder.rglob("*"))
    for command, code in ((pipeline.main, 1), (main, 130)):
        arguments = ["--config", str(recipe)] if code == 1 else ["run", str(recipe)]
        assert command(arguments) == code
        said = capsys.readouterr().err
        assert said == "error: interrupted before the run began; nothing was written\n"
    assert sorted(workspace.folder.rglob("*")) == before


def test_while_the_run_starts_it_leaves_a_summary(workspace, monkeypatch):
    monkeypatch.setattr(pipeline, "create_pipeline", lambda *arguments: stop())
    assert pipeline.main(["--config", str(workspace.write_recipe())]) == 1
    summary = json.loads((workspace.runs / "small" / "latest" / "summary.json").read_text())
    assert summary["error"].startswith("interrupted")
    assert summary["components"] == []
    assert not is_interrupted(), "the next run of this process"
    assert main(["run", str(workspace.write_recipe())]) == 130
    assert len(list((workspace.runs / "small").glob("*/summary.json"))) == 3, "two, and latest"


def test_told_again_at_once_is_told_once_and_later_is_another_time(monkeypatch):
    monkeypatch.setattr("darkroom.runner.interruption.AGAIN_SECONDS", 0.2)
    with interruptible():
        assert not is_interrupted()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert is_interrupted()
        time.sleep(0.3)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_what_a_shell_ignores_stays_ignored_and_the_end_is_not_interrupted():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGINT)
            with uninterrupted():
                os.kill(os.getpid(), signal.SIGTERM)
            assert not is_interrupted()
    finally:
        signal.signal(signal.SIGINT, before)

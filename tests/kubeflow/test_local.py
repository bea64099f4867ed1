"""What runs pipelines in local containers decides and shows; the runs are in tests/containers."""

import io
import json
import os
import stat

import pytest

from darkroom.kubeflow.local import EngineError, check_engine, main, pass_on, place_folders
from darkroom.kubeflow.local_driver import StepStream
from darkroom.recipe import ConfigError
from darkroom.runner.session import RunPlace, RunSession
from darkroom.runner.terminal import Terminal
from darkroom.tests.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("containers"), per_class=2)


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Puts a command `docker` in front that answers as told."""

    def answer(text, code):
        command = tmp_path / "bin" / "docker"
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\necho {text!r} >&2\nexit {code}\n")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return answer


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("Error: No such image: x", 1, "--image: there is no 'x' here; build it with `make image`"),
        ("Cannot connect to the Docker daemon", 1, "cannot be used: Cannot connect"),
    ],
)
def test_an_engine_that_does_not_do_is_refused(engine, text, code, words):
    engine(text, code)
    with pytest.raises(EngineError, match=words):
        check_engine("x")


def test_no_engine_and_an_engine_elsewhere_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with pytest.raises(EngineError, match="no such command"):
        check_engine("x")
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    with pytest.raises(EngineError, match="'tcp://elsewhere:2375' is another machine"):
        check_engine("x")


def test_the_socket_is_that_of_the_environment(engine, monkeypatch):
    engine("", 0)
    assert check_engine("x") == "/var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    assert check_engine("x") == "/run/user/1000/docker.sock"


def test_folders_have_the_same_place_in_the_containers(workspace):
    arguments, mounts = place_folders(workspace.recipe())
    assert arguments["data_path"] == str(workspace.data)
    assert mounts == [
        {"folder": str(workspace.data), "read_only": True},
        {"folder": str(workspace.serving), "read_only": False},
    ]
    assert workspace.serving.is_dir()


def test_folders_have_to_be_parameters(workspace):
    recipe = workspace.recipe(kubeflow={"parameters": ["data.path"]})
    with pytest.raises(ConfigError, match=r"push\.destination is missing"):
        place_folders(recipe)


def test_a_serving_folder_that_cannot_be_made_is_refused(workspace, tmp_path):
    (tmp_path / "file").write_text("")
    recipe = workspace.recipe(push={"destination": str(tmp_path / "file" / "models")})
    with pytest.raises(ConfigError, match=r"push\.destination: cannot make .*; give a folder"):
        place_folders(recipe)


def test_a_recipe_that_does_not_do_leaves_nothing(workspace, engine, capsys, tmp_path):
    engine("", 0)
    push = {"destination": str(tmp_path / "served")}
    recipe = workspace.write_recipe(kubeflow={"workers": 3}, push=push)
    assert main(["--config", str(recipe), "--image", "x"]) == 2
    assert "does not divide among 3 replicas" in capsys.readouterr().err
    assert not (tmp_path / "served").exists()
    assert not workspace.runs.exists()


def test_steps_see_the_files_with_credentials_that_variables_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    for name in ("key.json", ".aws/credentials"):
        (tmp_path / name).write_text("secret")
    named = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"), "PATH": "/bin"}
    assert pass_on(named) == (
        {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")},
        [str(tmp_path / "key.json")],
    )
    variables, files = pass_on({"AWS_PROFILE": "work"})
    assert variables["AWS_SHARED_CREDENTIALS_FILE"] == str(tmp_path / ".aws/credentials")
    assert files == [str(tmp_path / ".aws/credentials")]
    assert pass_on({"AWS_CA_BUNDLE": "/nowhere"}) == ({"AWS_CA_BUNDLE": "/nowhere"}, [])


def test_the_command_says_in_one_line_what_is_wrong(workspace, engine, capsys):
    engine("Error: No such image: x", 1)
    recipe = str(workspace.write_recipe())
    assert main(["--config", recipe, "--image", "x"]) == 2
    assert main(["--config", recipe, "--set", "trainer.seed=-1"]) == 2
    assert main(["--config", recipe, "--set", "trainer.seed"]) == 2
    assert main(["--config", "nowhere.yaml"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 4
    assert "'trainer.seed' gives no value" in errors[2]
    assert all(line.startswith("error: ") for line in errors)


class Run:
    """A session, the stream that feeds it, and what it shows."""

    def __init__(self, folder):
        self.place = RunPlace(folder, "run")
        self.place.folder.mkdir()
        self.shown = io.StringIO()
        self.session = RunSession(self.place, Terminal(self.shown), {}, lambda run: {})
        self.session.expect(["DataGate"])
        schema = {"artifactType": {"instanceSchema": "title: darkroom.DataBlessing\n"}}
        self.stream = StepStream(
            self.place,
            self.session,
            {"data-gate": "DataGate"},
            {"DataGate": {"outputDefinitions": {"artifacts": {"blessing": schema}}}},
        )

    def leave_outputs(self):
        folder = self.place.artifacts / "small-2026" / "data-gate"
        folder.mkdir(parents=True)
        artifact = {"uri": "/blessing", "metadata": {"blessed": 1}}
        content = {"artifacts": {"blessing": {"artifacts": [artifact]}}}
        (folder / "executor_output.json").write_text(json.dumps(content))


BEGINS = "12:00:00.000 - INFO - Executing task \x1b[96m'data-gate'\x1b[0m\n"
ENDS = (
    "12:00:09.000 - INFO - Task \x1b[96m'data-gate'\x1b[0m finished with status "
    "\x1b[92mSUCCESS\x1b[0m\n"
)


def test_a_step_is_shown_when_it_ends_and_has_a_log(tmp_path):
    run = Run(tmp_path)
    run.leave_outputs()
    # In pieces, as a stream may come.
    for piece in (BEGINS[:20], BEGINS[20:], "    all ", "is well\n", ENDS):
        run.stream.write(piece)
    assert run.shown.getvalue().startswith("DataGate ")
    assert "all is well\n" in (run.place.folder / "steps" / "DataGate.log").read_text()


def test_a_failed_step_is_shown_with_its_error(tmp_path):
    run = Run(tmp_path)
    run.stream.write(BEGINS)
    run.stream.write("    noise\n    error: data: 9 of 10 rows\n    more noise\n")
    run.stream.fail("status FAILURE")
    assert "failed" in run.shown.getvalue()
    assert run.stream.last_lines[-3:] == ["noise", "error: data: 9 of 10 rows", "more noise"]
    summary = run.session.finish()
    assert summary["error"] == "DataGate: data: 9 of 10 rows"


def test_a_step_that_left_nothing_has_failed_whatever_kfp_says(tmp_path):
    run = Run(tmp_path)
    run.stream.write(BEGINS)
    with pytest.raises(RuntimeError, match="DataGate has left no outputs"):
        run.stream.write(ENDS)
    assert run.session.finish()["status"] == "failed"

"""Submitting a recipe, against a double of the server."""

import itertools

import pytest
import yaml

from darkroom.kubeflow import submit
from darkroom.kubeflow.parameters import override_recipe, run_arguments
from darkroom.recipe import load_recipe
from darkroom.tests.kubeflow.api_double import BASE, PERMANENT, TRANSIENT, ApiDouble, serve
from darkroom.tests.kubeflow.commands import QUICK, compile_quickly, job_arguments, write_recipe

DONE = {"state": "SUCCEEDED"}
REQUESTS = [
    f"GET {BASE}/healthz",
    f"GET {BASE}/pipelines/names/small",
    f"POST {BASE}/pipelines",
    f"POST {BASE}/pipelines/upload_version",
    f"GET {BASE}/experiments",
    f"POST {BASE}/experiments",
    f"POST {BASE}/runs",
    f"GET {BASE}/runs/runs-0004",
    f"GET {BASE}/runs/runs-0004",
    "POST /ml_metadata.MetadataStoreService/GetContextByTypeAndName",
    "POST /ml_metadata.MetadataStoreService/GetArtifactsByContext",
]
PUSHED = {"push_state": "pushed", "pushed_version": 12, "pushed_destination": "/m/12", "reason": ""}


@pytest.fixture
def double():
    with serve(ApiDouble(story=[{"state": "RUNNING"}, DONE], pushed=dict(PUSHED))) as served:
        yield served


def run(double, recipe, *more):
    return submit.main(job_arguments(double.url, recipe, *more), QUICK, interval=0.001)


def task(name, state, seconds=None, **more):
    detail = {"display_name": name, "state": state, "start_time": "2026-11-20T10:00:00Z", **more}
    if seconds is not None:
        detail["end_time"] = f"2026-11-20T10:00:{seconds:02}Z"
    return detail


def test_a_first_submission_creates_everything(double, recipe, capsys):
    assert run(double, recipe, "--set", "trainer.seed=3", "--wait") == 0
    assert [f"{sent.method} {sent.path}" for sent in double.sent] == REQUESTS
    (created,) = double.all("runs")
    (version,) = double.all("versions")
    given = created["runtime_config"]["parameters"]
    assert given == run_arguments(override_recipe(load_recipe(recipe), {"trainer.seed": "3"})) | {
        "data_fingerprint": "",
        "served_version": "",
    }
    assert (given["trainer_seed"], given["data_path"]) == (3, "/mnt/small/data")
    assert created["runtime_config"]["pipeline_root"] == "s3://b/r"
    reference = created["pipeline_version_reference"]
    assert reference["pipeline_version_id"] == version["pipeline_version_id"]
    assert created["display_name"].startswith("small-2")
    assert [item["display_name"] for item in double.all("experiments")] == ["small"]
    uploaded = yaml.safe_load(double.uploads[version["display_name"]])
    assert uploaded["pipelineInfo"] == {
        "name": "small",
        "image": "darkroom:1",
        "fingerprinted": False,
    }
    said = capsys.readouterr().out.splitlines()
    assert f"address    {double.url}/#/runs/details/{created['run_id']}" in said
    assert said[-1] == "verdict    pushed: version 12 is in /m/12"
    assert said[0] == (
        "cannot read data.path '/mnt/small/data' (no such folder here) and push.destination "
        "'/mnt/small/serving' (no such folder here) from here: the run reads it, and "
        "ImageExampleGen and BaselineModel do not come from the cache"
    )


def test_a_relative_path_is_not_taken_for_the_containers(double, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("darkroom.kubeflow.server.submission.compile_recipe", compile_quickly)
    (tmp_path / "data").mkdir()
    recipe = write_recipe(tmp_path, data={"path": "data"}, push={"destination": "models"})
    assert run(double, recipe) == 0
    assert double.all("runs")[0]["runtime_config"]["parameters"]["data_fingerprint"] == ""
    assert "(a relative path is another place in a container)" in capsys.readouterr().out


def test_the_same_content_is_uploaded_once_whatever_the_arguments(double, recipe):
    assert run(double, recipe) == 0
    assert run(double, recipe, "--set", "trainer.seed=4") == 0
    assert len(double.all("runs")) == 2
    assert len(double.all("versions")) == 1
    assert run(double, recipe, "--image", "darkroom:2") == 0
    first, second = double.all("versions")
    assert first["pipeline_id"] == second["pipeline_id"]
    assert first["display_name"] != second["display_name"]
    assert len(double.all("pipelines")) == len(double.all("experiments")) == 1


def test_things_are_found_on_later_pages_and_by_their_exact_name(double, recipe):
    for name in ("small", "SMALL", "Small", "sMall"):
        double.kept.setdefault("experiments", {})[name] = {
            "experiment_id": name,
            "display_name": name,
            "created_at": "2026-11-20T10:00:00Z",
        }
    double.kept["experiments"] = dict(reversed(double.kept["experiments"].items()))
    assert run(double, recipe) == 0
    assert double.all("runs")[0]["experiment_id"] == "small"


def test_names_and_namespace_are_those_given(double, recipe):
    more = ("--experiment", "other", "--run-name", "mine", "--namespace", "ann")
    assert run(double, recipe, *more, "--service-account", "editor") == 0
    (created,) = double.all("runs")
    assert (created["display_name"], created["service_account"]) == ("mine", "editor")
    (experiment,) = double.all("experiments")
    assert (experiment["display_name"], experiment["namespace"]) == ("other", "ann")
    assert double.all("pipelines")[0]["namespace"] == "ann"
    asked = [sent.query.get("namespace") for sent in double.sent if "names" in sent.path]
    assert asked == ["ann"]


@pytest.mark.parametrize("kind", TRANSIENT)
@pytest.mark.parametrize("index", range(len(REQUESTS)))
def test_one_fault_makes_neither_two_runs_nor_none(double, recipe, capsys, index, kind):
    double.faults = {index: kind}
    double.story = [{"state": "RUNNING"}, DONE, DONE]
    assert run(double, recipe, "--wait") == 0
    (created,) = double.all("runs")
    assert f"details/{created['run_id']}\n" in capsys.readouterr().out
    assert len(double.all("versions")) == len(double.all("pipelines")) == 1
    assert len(double.all("experiments")) == 1


@pytest.mark.parametrize("index", range(len(REQUESTS)))
@pytest.mark.parametrize("kind", PERMANENT)
def test_a_refusal_ends_in_one_line_and_no_second_run(double, recipe, capsys, index, kind):
    double.faults = {index: kind}
    code = run(double, recipe, "--wait")
    assert len(double.all("runs")) <= 1
    error = capsys.readouterr().err
    # Nothing depends on ML Metadata, and a pipeline that is not there is created.
    is_forgiven = index >= 9 or (index, kind) == (1, "404")
    assert code == (0 if is_forgiven else 2)
    assert error.count("\n") == (1 if code else 0)
    if code:
        assert error.startswith(f"error: {double.url}: {kind} injected; ")


@pytest.mark.parametrize("index", range(len(REQUESTS)))
def test_a_server_that_stays_ill_ends_in_one_line(double, recipe, capsys, monkeypatch, index):
    monkeypatch.setattr("darkroom.kubeflow.server.watch.LONGEST_SILENCE", 0.1)
    double.always = (index, "500")
    code = run(double, recipe, "--wait")
    captured = capsys.readouterr()
    if index < REQUESTS.index(REQUESTS[9]):
        assert code == 1
        assert captured.err == (
            f"error: {double.url}: 500 injected; see what the server, ml-pipeline, logs "
            "(tried 4 times)\n"
        )
        # Only its health, while it is asked for the run.
        assert ("the run goes on" in captured.out) == (index > 6)
    else:
        assert code == 0
        assert "verdict    succeeded; pushed or not is in the run's report" in captured.out


def test_steps_are_shown_as_they_start_and_end(double, recipe, capsys):
    driver = task("trainer-driver", "RUNNING")
    double.story = [
        {"state": "PENDING"},
        {"state": "RUNNING", "run_details": {"task_details": [driver, task("trainer", "RUNNING")]}},
        {"state": "RUNNING", "run_details": {"task_details": [driver, task("trainer", "RUNNING")]}},
        {
            "state": "SUCCEEDED",
            "run_details": {
                "task_details": [task("trainer", "SUCCEEDED", 42), task("pusher", "SKIPPED")]
            },
        },
    ]
    assert run(double, recipe, "--wait") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-4] == "trainer              runs"
    assert sorted(said[-3:-1]) == [
        "pusher               skipped",
        "trainer              done  42 s",
    ]


def test_a_step_that_kubeflow_could_not_prepare_is_named(double, recipe, capsys):
    """Its driver failed, and the step has never been there."""
    details = {"task_details": [task("root-driver", "SUCCEEDED"), task("trainer-driver", "FAILED")]}
    double.story = [{"state": "FAILED", "run_details": details}]
    assert run(double, recipe, "--wait") == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-2].startswith("trainer-driver       failed")
    assert said[-2].endswith("could not prepare the step; the log of this pod says why")
    assert said[-1] == "verdict    failed in trainer-driver"


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_run_that_fails_or_is_cancelled_is_1(double, recipe, capsys, state):
    details = {"task_details": [task("trainer", "FAILED", 3, error={"message": "out of\nmemory"})]}
    double.story = [{"state": state, "run_details": details, "error": {"message": "it broke"}}]
    assert run(double, recipe, "--wait") == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-2] == "trainer              failed  3 s  out of memory"
    assert said[-1] == f"verdict    {state.lower()} in trainer: it broke"


@pytest.mark.parametrize(
    ("pushed", "code", "verdict"),
    [
        (
            {"push_state": "not_blessed", "reason": "Evaluator: too low"},
            3,
            "not blessed: nothing was pushed (Evaluator: too low)",
        ),
        (
            {"push_state": "withdrawn", "reason": "version 9 was"},
            4,
            "withdrawn: nothing was pushed (version 9 was)",
        ),
        ({"push_state": "unchanged", "pushed_version": 7}, 0, "unchanged: version 7"),
        (
            {"examples_train": 1},
            0,
            "succeeded; pushed or not is in the run's report (ML Metadata does not know the run's "
            "Pusher)",
        ),
    ],
)
def test_the_verdict_is_that_of_pusher(double, recipe, capsys, pushed, code, verdict):
    double.pushed = pushed
    assert run(double, recipe, "--wait") == code
    assert capsys.readouterr().out.splitlines()[-1] == f"verdict    {verdict}"


def test_where_there_is_no_ml_metadata_the_verdict_says_what_is_not_known(double, recipe, capsys):
    double.pushed = None
    assert run(double, recipe, "--wait") == 0
    assert "verdict    succeeded; pushed or not is in the run's report" in capsys.readouterr().out


def test_a_server_that_is_gone_for_a_while_is_waited_for(double, recipe, capsys):
    waiting = REQUESTS.index(f"GET {BASE}/runs/runs-0004")
    double.faults = dict.fromkeys(range(waiting, waiting + 3 * QUICK.attempts), "500")
    assert run(double, recipe, "--wait") == 0
    assert capsys.readouterr().out.count("; still waiting") == 3


def test_interrupted_waiting_leaves_the_run_alone(double, recipe, capsys, monkeypatch):
    looks = itertools.count()

    def interrupt(seconds):
        if next(looks) > 1:
            raise KeyboardInterrupt

    double.story = [{"state": "RUNNING"}]
    monkeypatch.setattr("darkroom.kubeflow.server.watch.time.sleep", interrupt)
    assert run(double, recipe, "--wait") == 130
    (created,) = double.all("runs")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        f"stopped waiting; the run goes on: {double.url}/#/runs/details/{created['run_id']}"
    )


def test_the_timeout_leaves_the_run_alone(double, recipe, capsys):
    double.story = [{"state": "RUNNING"}]
    assert run(double, recipe, "--wait", "--timeout", "0.5") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and "--timeout is over" in captured.err
    assert "stopped waiting; the run goes on" in captured.out
    assert len(double.all("runs")) == 1


def test_a_batch_that_workers_cannot_divide_is_2_before_anything_is_asked(
    double, tmp_path, recipe, capsys
):
    """A value of --set has to fit the rest as one of the recipe would."""
    divided = write_recipe(tmp_path, kubeflow={"workers": 4})
    assert run(double, divided, "--set", "trainer.batch_size=30") == 2
    assert "trainer.batch_size: 30 does not divide among 4" in capsys.readouterr().err
    assert not double.sent


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "trainer.seed"], "--set: 'trainer.seed' gives no value; write FIELD=VALUE"),
        (["--set", "trainer.colour=3"], "trainer.colour: is no parameter of the pipeline"),
        (["--set", "trainer.seed=many"], "trainer.seed"),
        (["--timeout", "0"], "--timeout: 0 is not positive"),
        (["--config", "/nowhere.yaml"], "--config: cannot read '/nowhere.yaml'"),
    ],
)
def test_bad_configuration_is_2_before_anything_is_asked(double, recipe, capsys, more, message):
    assert run(double, recipe, *more) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}") and error.count("\n") == 1
    assert not double.sent

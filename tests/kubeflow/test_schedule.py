"""Recurring runs, against a double of the server."""

import pytest

from darkroom.kubeflow import schedule
from darkroom.kubeflow.server.cron import check_cron, read_interval
from darkroom.recipe import ConfigError
from darkroom.tests.kubeflow.api_double import BASE, TRANSIENT, ApiDouble, serve
from darkroom.tests.kubeflow.commands import QUICK, job_arguments

NIGHTLY = ("--name", "nightly", "--cron", "0 0 3 * * *")
EVERY_SIX_HOURS = ("--name", "nightly", "--every", "6h")
CREATE = [
    f"GET {BASE}/healthz",
    f"GET {BASE}/pipelines/names/small",
    f"POST {BASE}/pipelines",
    f"POST {BASE}/pipelines/upload_version",
    f"GET {BASE}/experiments",
    f"POST {BASE}/experiments",
    f"GET {BASE}/recurringruns",
    f"POST {BASE}/recurringruns",
]
UPDATE = [
    f"GET {BASE}/healthz",
    f"GET {BASE}/pipelines/names/small",
    f"GET {BASE}/pipelines/pipelines-0001/versions",
    f"GET {BASE}/experiments",
    f"GET {BASE}/recurringruns",
    f"POST {BASE}/recurringruns",
    f"DELETE {BASE}/recurringruns/recurringruns-0004",
]


@pytest.fixture
def double():
    with serve(ApiDouble()) as served:
        yield served


def run(double, recipe, *more):
    return schedule.main(job_arguments(double.url, recipe, *more), QUICK)


def tend(double, recipe, *more):
    return schedule.main(["--host", double.url, "--config", str(recipe), *more], QUICK)


def requests(double):
    return [f"{sent.method} {sent.path}" for sent in double.sent]


def test_a_first_call_creates_the_schedule(double, recipe, capsys):
    more = ("--max-concurrency", "2", "--no-catch-up", "--set", "trainer.seed=5")
    assert run(double, recipe, *NIGHTLY, *more) == 0
    assert requests(double) == CREATE
    (made,) = double.enabled()
    assert made["display_name"] == "nightly"
    assert made["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert (made["max_concurrency"], made["no_catchup"]) == ("2", True)
    parameters = made["runtime_config"]["parameters"]
    assert parameters["trainer_seed"] == 5
    assert parameters["data_fingerprint"] == parameters["served_version"] == ""
    uploaded = next(iter(double.uploads.values())).decode()
    assert "fingerprinted: false" in uploaded
    said = capsys.readouterr().out.splitlines()
    assert said[-2] == "schedule   nightly created: cron 0 0 3 * * * (UTC)"
    assert said[-1].endswith(f"/#/recurringrun/details/{made['recurring_run_id']}")


def test_the_same_again_changes_nothing(double, recipe, capsys):
    run(double, recipe, *NIGHTLY)
    before = double.all("recurringruns")
    double.forget_requests()
    assert run(double, recipe, *NIGHTLY) == 0
    assert double.all("recurringruns") == before
    assert not [line for line in requests(double) if not line.startswith("GET")]
    assert "nightly unchanged" in capsys.readouterr().out


def test_another_time_makes_a_new_one_before_the_old_one_goes(double, recipe, capsys):
    run(double, recipe, *NIGHTLY)
    double.forget_requests()
    assert run(double, recipe, *EVERY_SIX_HOURS) == 0
    assert requests(double) == UPDATE
    (made,) = double.all("recurringruns")
    assert made["trigger"] == {"periodic_schedule": {"interval_second": "21600"}}
    assert "nightly updated: every 21600 s" in capsys.readouterr().out


def test_another_image_updates_the_schedule(double, recipe):
    run(double, recipe, *NIGHTLY)
    (old,) = double.enabled()
    assert run(double, recipe, *NIGHTLY, "--image", "darkroom:2") == 0
    (new,) = double.enabled()
    reference = "pipeline_version_reference"
    assert new[reference]["pipeline_id"] == old[reference]["pipeline_id"]
    assert new[reference]["pipeline_version_id"] != old[reference]["pipeline_version_id"]


def test_paused_is_off_and_the_next_call_switches_it_on(double, recipe):
    assert run(double, recipe, *NIGHTLY, "--paused") == 0
    assert (len(double.all("recurringruns")), double.enabled()) == (1, [])
    assert run(double, recipe, *NIGHTLY) == 0
    assert len(double.all("recurringruns")) == len(double.enabled()) == 1


def test_one_that_was_switched_off_by_hand_is_switched_on(double, recipe):
    run(double, recipe, *NIGHTLY)
    double.all("recurringruns")[0]["status"] = "DISABLED"
    assert run(double, recipe, *NIGHTLY) == 0
    assert len(double.all("recurringruns")) == len(double.enabled()) == 1


@pytest.mark.parametrize("kind", TRANSIENT)
@pytest.mark.parametrize("index", range(len(CREATE)))
def test_one_fault_while_creating_leaves_one_schedule(double, recipe, capsys, index, kind):
    double.faults = {index: kind}
    assert run(double, recipe, *NIGHTLY) == 0
    (made,) = double.all("recurringruns")
    assert made["status"] == "ENABLED"
    assert capsys.readouterr().out.endswith(f"details/{made['recurring_run_id']}\n")
    assert len(double.all("versions")) == len(double.all("experiments")) == 1


@pytest.mark.parametrize("kind", TRANSIENT)
@pytest.mark.parametrize("index", range(len(UPDATE)))
def test_one_fault_while_updating_leaves_the_new_schedule(double, recipe, index, kind):
    run(double, recipe, *NIGHTLY)
    double.forget_requests()
    double.faults = {index: kind}
    assert run(double, recipe, *EVERY_SIX_HOURS) == 0
    (made,) = double.all("recurringruns")
    assert "periodic_schedule" in made["trigger"]
    assert made["status"] == "ENABLED"


@pytest.mark.parametrize("kind", ["403", "500", "lost after"])
@pytest.mark.parametrize("index", range(len(UPDATE)))
def test_an_update_that_stops_anywhere_leaves_no_gap_and_is_mended(double, recipe, index, kind):
    run(double, recipe, *NIGHTLY)
    double.forget_requests()
    double.always = (index, kind)
    run(double, recipe, *EVERY_SIX_HOURS)
    assert 1 <= len(double.enabled()) <= 2
    double.always = None
    assert run(double, recipe, *EVERY_SIX_HOURS) == 0
    (made,) = double.all("recurringruns")
    assert "periodic_schedule" in made["trigger"]
    assert made["status"] == "ENABLED"


def test_schedules_are_listed_and_deleted_by_name(double, recipe, capsys):
    run(double, recipe, *NIGHTLY)
    run(double, recipe, "--name", "often", "--every", "30m", "--paused")
    run(double, recipe, "--name", "elsewhere", "--every", "1d", "--experiment", "other")
    capsys.readouterr()
    assert tend(double, recipe, "--list") == 0
    assert capsys.readouterr().out.splitlines() == [
        "nightly              enabled   cron 0 0 3 * * * (UTC)",
        "often                disabled  every 1800 s",
    ]
    double.faults = {len(double.sent) + 3: "lost after"}
    assert tend(double, recipe, "--delete", "--name", "nightly") == 0
    left = sorted(item["display_name"] for item in double.all("recurringruns"))
    assert left == ["elsewhere", "often"]
    assert "deleted    nightly" in capsys.readouterr().out
    assert tend(double, recipe, "--delete", "--name", "nightly") == 0
    assert "experiment 'small' has no schedule 'nightly'" in capsys.readouterr().out


def test_an_experiment_that_is_not_there_is_not_made_by_looking(double, recipe, capsys):
    assert tend(double, recipe, "--list") == 0
    assert capsys.readouterr().out == "experiment 'small' has no schedule\n"
    assert double.all("experiments") == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--cron", "0 0 3 * * *"), "--name: is missing"),
        (("--name", "n"), "--cron: is missing; give it, or --every, --list or --delete"),
        (("--name", "n", "--every", "6"), "--every: '6' is no interval"),
        (("--name", "n", "--every", "1h", "--max-concurrency", "11"), "--max-concurrency: 11"),
        (("--name", "n", "--cron", "0 3 * * *"), "--cron: '0 3 * * *' has 5 fields"),
        (("--delete",), "--name: is missing"),
    ],
)
def test_bad_options_are_2_before_anything_is_asked(double, recipe, capsys, more, message):
    assert run(double, recipe, *more) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}") and error.count("\n") == 1
    assert not double.sent


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 3 * * *",
        "*/15 * * * * ?",
        "0 0 9-17 ? * MON-FRI",
        "0 30 4 1,15 jan-mar,12 *",
        "0 0-30/10 * * * 0,6",
        "  0  0 3 * *  * ",
    ],
)
def test_a_cron_expression_of_six_fields_is_taken(expression):
    assert check_cron(expression) == " ".join(expression.split())


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 3 * * *", "with seconds in front it is '0 0 3 * * *'"),
        ("", "has 0 fields"),
        ("@daily", "has 1 fields"),
        ("60 0 3 * * *", "'60' is no second; give numbers from 0 to 59"),
        ("0 0 24 * * *", "'24' is no hour"),
        ("0 0 3 0 * *", "'0' is no day of the month"),
        ("0 0 3 * 13 *", "'13' is no month"),
        ("0 0 3 * * 7", "'7' is no day of the week"),
        ("0 0 3 * * SUNDAY", "'SUNDAY' is no day of the week"),
        ("0 5-1 3 * * *", "'5-1' is no minute"),
        ("0 */0 3 * * *", "'*/0' is no minute"),
        ("0 0 3, * * *", "'' is no hour"),
        ("0 0 -3 * * *", "'-3' is no hour"),
        ("0 0 ٣ * * *", "'٣' is no hour"),
    ],
)
def test_a_cron_expression_that_does_not_do_is_one_line(expression, message):
    with pytest.raises(ConfigError) as raised:
        check_cron(expression)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_intervals_are_seconds():
    assert [read_interval(text) for text in ("45s", "30m", "6h", "2d")] == [45, 1800, 21600, 172800]
    for text in ("0s", "h", "-1h", "1.5h", "6 h", "1w", ""):
        with pytest.raises(ConfigError, match="is no interval"):
            read_interval(text)

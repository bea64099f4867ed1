"""Versions are listed, rolled back and promoted; a model server sees one change."""

import json

import pytest

from darkroom.commands.main import main
from darkroom.commands.served_model import serve_model
from darkroom.records.origin import Origin
from darkroom.runner.session import RunError
from darkroom.storage.versions.lifecycle import find_served, list_versions
from darkroom.storage.versions.place import open_place
from darkroom.tests.commands.test_runs import write_run

NUMBERS = (1700000001, 1700000002, 1700000003)


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in NUMBERS:
        folder = tmp_path / "models/mine" / str(number)
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_text(f"model {number}")
    (tmp_path / "models/mine/1800000000").mkdir()
    write_run(tmp_path / "runs", "mine", "20260101-120000", pushed_version=NUMBERS[1])
    return tmp_path / "models/mine"


def states(models):
    return {version.number: version.state for version in list_versions(str(models))}


def test_versions_are_listed_with_the_run_they_came_from(models, capsys):
    assert main(["versions", "mine", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [each["version"] for each in shown] == list(reversed(NUMBERS))
    assert [each["state"] for each in shown] == ["served", "older", "older"]
    assert [each["run"] for each in shown] == [None, "20260101-120000", None]
    assert main(["versions", "mine"]) == 0
    assert capsys.readouterr().out.splitlines()[2].split()[4] == "20260101-120000"


def test_a_version_says_itself_where_it_comes_from(models, capsys):
    Origin("mine", "20251231-235959", {"accuracy": 0.75}, "d" * 64).write(models / str(NUMBERS[2]))
    assert main(["versions", "mine", "--json"]) == 0
    newest, pushed_by_a_run, _ = json.loads(capsys.readouterr().out)
    assert (newest["recipe"], newest["run"], newest["digest"]) == (
        "mine",
        "20251231-235959",
        "d" * 64,
    )
    assert newest["accuracy"] == 0.75
    assert (pushed_by_a_run["accuracy"], pushed_by_a_run["digest"]) == (0.9, None)


def test_a_run_says_what_has_become_of_its_version(models, capsys):
    last, middle, first = str(NUMBERS[2]), str(NUMBERS[1]), str(NUMBERS[0])
    acts = (
        (None, "older"),
        (["rollback", "mine", middle], "served"),
        (["promote", "mine", first], "withdrawn"),
        (["promote", "mine", last], "withdrawn"),
    )
    for act, state in acts:
        assert act is None or main(act) == 0
        capsys.readouterr()
        # By the version, as `versions` lists it.
        assert main(["show", middle]) == 0
        assert capsys.readouterr().out.endswith(f"version   {middle}: {state}\n")


def test_a_rollback_serves_the_version_before_and_holds(models, capsys):
    assert main(["rollback", "mine"]) == 0
    assert f"version {NUMBERS[1]} is served; withdrawn: {NUMBERS[2]}" in capsys.readouterr().out
    assert states(models)[NUMBERS[2]] == "withdrawn"
    assert set(open_place(str(models)).withdrawn().values()) == {NUMBERS[2]}
    assert main(["promote", "mine", str(NUMBERS[2])]) == 0
    assert find_served(str(models)).number == NUMBERS[2]
    assert open_place(str(models)).withdrawn() == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rollback", "mine", "5"], "there is no version 5 below it"),
        (["promote", "mine", "5"], f"has no version 5; it has {NUMBERS[2]}, {NUMBERS[1]}, "),
    ],
)
def test_what_is_not_there_is_refused(models, capsys, arguments, said):
    before = states(models)
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert states(models) == before


def test_a_bucket_is_not_served_from_here(tmp_path):
    with (
        pytest.raises(RunError, match=r"^s3://b/m is in an object store; .* TensorFlow Serving"),
        serve_model("s3://b/m", "m", tmp_path / "serve.log"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []

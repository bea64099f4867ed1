"""Submitting what is really compiled, with data and a served model that are really there."""

import pytest
import yaml

from darkroom.components.image_example_gen.fingerprint import fingerprint
from darkroom.kubeflow import submit
from darkroom.storage.versions.place import served_version
from darkroom.tests.kubeflow.api_double import ApiDouble, serve
from darkroom.tests.kubeflow.commands import QUICK, job_arguments
from darkroom.tests.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    for name in ("KFP_TOKEN", "KFP_TOKEN_FILE", "KFP_COOKIE", "KFP_CA_CERT"):
        monkeypatch.delenv(name, raising=False)
    created = Workspace(tmp_path, per_class=2)
    model = created.serving / "7"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"a model")
    return created


def test_a_run_carries_what_the_world_holds(workspace, capsys):
    recipe = workspace.write_recipe()
    with serve(ApiDouble()) as double:

        def run():
            assert submit.main(job_arguments(double.url, recipe), QUICK) == 0
            return double.all("runs")[-1]["runtime_config"]["parameters"]

        before = run()
        assert before["data_fingerprint"] == fingerprint(workspace.recipe().data)
        assert before["served_version"] == served_version(str(workspace.serving))
        assert before["served_version"].startswith("7:")
        assert "cannot read" not in capsys.readouterr().out
        image = next(workspace.data.rglob("*.png"))
        image.write_bytes(image.read_bytes() + b"\0")
        after = run()
        assert after["data_fingerprint"] != before["data_fingerprint"]
        assert after["served_version"] == before["served_version"]
        (uploaded,) = double.uploads.values()
    specification = next(yaml.safe_load_all(uploaded))
    declared = set(specification["root"]["inputDefinitions"]["parameters"])
    assert declared == set(before)
    tasks = specification["root"]["dag"]["tasks"]
    assert tasks["image-example-gen"]["cachingOptions"] == {"enableCache": True}
    # The steps that are watched for are those that are there.
    assert {"image-example-gen", "trainer", "run-report"} <= set(tasks)

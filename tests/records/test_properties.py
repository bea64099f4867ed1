"""What is written into custom properties is read from them, wherever they come from."""

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts

from darkroom.components.artifacts import Quarantine
from darkroom.records.artifacts import find_file, find_record, read_properties, read_values
from darkroom.records.blessing import Blessing
from darkroom.records.counts import ExampleCounts
from darkroom.records.evaluation import METRICS_FILE, Evaluation, Slice
from darkroom.records.push import PushOutcome

PUSH = PushOutcome("withdrawn", 7, "models/7", "somebody did")


def within_a_step(artifact):
    """As a step on Kubeflow is given it: all properties as JSON, integers as floats."""
    given = type(artifact)()
    for name, value in read_properties(artifact).items():
        number = float(value) if isinstance(value, int) else value
        given.set_json_value_custom_property(name, number)
    return given


def test_a_push_is_read_as_it_was_written():
    artifact = standard_artifacts.PushedModel()
    PUSH.write(artifact)
    assert artifact.get_int_custom_property("pushed") == 0
    for each in (artifact, within_a_step(artifact)):
        read = PushOutcome.read(read_properties(each))
        assert read == PUSH
        assert isinstance(read.version, int)


def test_a_push_is_read_from_ml_metadata_as_kubeflow_keeps_it():
    message = metadata_store_pb2.Artifact()
    message.custom_properties["push_state"].string_value = "unchanged"
    message.custom_properties["pushed_version"].double_value = 12.0
    assert message.custom_properties["not set"].WhichOneof("value") is None
    assert PushOutcome.read(read_values(message.custom_properties)) == PushOutcome("unchanged", 12)


@pytest.mark.parametrize("written", [Blessing(True), Blessing(False, "too low")])
def test_a_blessing_is_read_as_it_was_written(written):
    artifact = standard_artifacts.ModelBlessing()
    written.write(artifact)
    assert Blessing.read(read_properties(artifact)) == written
    assert Blessing.read(read_properties(within_a_step(artifact))) == written


def test_a_blessing_that_nobody_wrote_is_none():
    assert not Blessing.read(read_properties(standard_artifacts.ModelBlessing())).blessed


def test_counts_are_read_from_both_artifacts_or_either():
    examples, quarantine = standard_artifacts.Examples(), Quarantine()
    ExampleCounts(80, 20, 10, 3).write(examples, quarantine, skipped=2)
    assert ExampleCounts.read([examples, quarantine]) == ExampleCounts(80, 20, 10, 3)
    assert ExampleCounts.read([within_a_step(examples)]) == ExampleCounts(80, 20, 10, None)
    assert ExampleCounts.read([]) == ExampleCounts()
    assert read_properties(quarantine) == {
        "rows": 115, "examples": 110, "quarantined": 3, "skipped": 2,
    }  # fmt: skip
    with pytest.raises(ValueError, match="not complete"):
        ExampleCounts(80, 20, 10).write(examples, quarantine)


def test_a_record_is_found_among_artifacts_without_one(tmp_path):
    pushed, other = standard_artifacts.PushedModel(), standard_artifacts.Model()
    PUSH.write(pushed)
    other.set_string_custom_property("reason", "no push")
    assert find_record(PushOutcome.read, [other, pushed]) == PUSH
    assert find_record(PushOutcome.read, [other]) is None
    other.uri, pushed.uri = str(tmp_path / "absent"), str(tmp_path / "there")
    (tmp_path / "there").mkdir()
    measured = Evaluation(Slice("overall", {"accuracy": 0.5}))
    measured.write(tmp_path / "there")
    assert find_file(METRICS_FILE, Evaluation.read, [other, pushed]) == measured
    assert find_file(METRICS_FILE, Evaluation.read, [other]) is None

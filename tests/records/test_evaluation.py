import json

import pytest

from darkroom.records.evaluation import METRICS_FILE, Evaluation, Failure

METRICS = {
    "candidate": {
        "overall": {"accuracy": 0.9, "example_count": 10},
        "slices": [
            {"slice": "label:3", "metrics": {"accuracy": 0.8}},
            {"slice": "label:new", "metrics": {"accuracy": 1.0}},
        ],
    },
    "baseline": {
        "overall": {"accuracy": 0.7},
        "slices": [{"slice": "label:3", "metrics": {"accuracy": 0.5}}],
    },
    "confusion_matrix": {"classes": ["3", "new"], "counts": [[4, 1], [0, 5]]},
    "learned_nothing": "",
    "gate": {
        "blessed": False,
        "baseline": "compared",
        "failures": [
            {
                "metric": "accuracy",
                "slice": "overall",
                "kind": "absolute",
                "bound": "≥ 0.95",
                "value": 0.9,
            }
        ],
    },
}


def write_metrics(folder, **changed):
    (folder / "metrics.json").write_text(json.dumps({**METRICS, **changed}))
    return folder


def test_evaluation(tmp_path):
    read = Evaluation.read(write_metrics(tmp_path))
    assert read.overall.candidate["accuracy"] == 0.9
    assert read.overall.baseline == {"accuracy": 0.7}
    assert [part.baseline for part in read.slices] == [{"accuracy": 0.5}, None]
    assert read.confusion.counts == ((4, 1), (0, 5))
    assert read.failures == (Failure("accuracy", "overall", "absolute", "≥ 0.95", 0.9),)
    assert not read.blessed


def test_evaluation_without_baseline_and_matrix(tmp_path):
    empty = {"classes": ["3"], "counts": [[0]]}
    read = Evaluation.read(write_metrics(tmp_path, baseline=None, confusion_matrix=empty))
    assert read.overall.baseline is None
    assert all(part.baseline is None for part in read.slices)
    assert read.confusion is None


@pytest.mark.parametrize("baseline", [METRICS["baseline"], None])
def test_what_was_read_is_written_as_it_was(tmp_path, baseline):
    write_metrics(tmp_path, baseline=baseline)
    before = json.loads((tmp_path / METRICS_FILE).read_text())
    Evaluation.read(tmp_path).write(tmp_path)
    written = (tmp_path / METRICS_FILE).read_text()
    assert written == json.dumps(before, indent=1)


def test_without_the_file_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Evaluation.read(tmp_path)

import json
import math

import pytest

from darkroom.records.machine import Machine
from darkroom.records.training import HISTORY_FILE, EpochRecord, TrainingRecord, WeightsOrigin

EPOCHS = (
    EpochRecord("head", 1, 2.0, 0.3, 1.9, 0.4, 1.5),
    EpochRecord("fine_tune", 2, 1.0, 0.8, math.nan, 0.7, 2.5),
)


def test_what_was_written_is_read(tmp_path):
    machine, weights = Machine.here(["A GPU"]), WeightsOrigin("somewhere", "MIT")
    record = TrainingRecord(EPOCHS, ("head stopped",), 4.56789, {"seed": 1}, machine, weights)
    record.write(tmp_path / "made")
    read = TrainingRecord.read(tmp_path / "made")
    assert read.epochs[0] == EPOCHS[0]
    assert math.isnan(read.epochs[1].val_loss)
    assert read.best == EPOCHS[0]
    assert (read.machine, read.weights) == (machine, weights)
    assert (read.early_stops, read.seconds, read.config) == (("head stopped",), 4.568, {"seed": 1})


def test_content_of_the_file(tmp_path):
    TrainingRecord(EPOCHS[:1], (), 2.0, {"seed": 1}).write(tmp_path)
    text = (tmp_path / HISTORY_FILE).read_text()
    content = json.loads(text)
    assert list(content) == [
        "epochs", "best", "early_stops", "seconds", "config", "machine", "weights",
    ]  # fmt: skip
    assert content["epochs"] == [content["best"]]
    assert list(content["best"]) == [
        "phase", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds",
    ]  # fmt: skip
    assert text.endswith("}\n")


def test_without_the_file_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        TrainingRecord.read(tmp_path)

import json

from darkroom.trainer.history import EpochRecord, History


def record(epoch: int, val_loss: float) -> EpochRecord:
    return EpochRecord("head", epoch, 0.5, 0.5, val_loss, 0.5, 1.0)


def test_best_is_the_first_epoch_with_the_lowest_validation_loss():
    history = History([record(1, 0.3), record(2, 0.2), record(3, 0.2)])
    assert history.best.epoch == 2


def test_epoch_that_diverged_is_not_the_best():
    history = History([record(1, float("nan")), record(2, 0.2), record(3, float("nan"))])
    assert history.best.epoch == 2


def test_content_of_the_file():
    history = History([record(1, 0.3)], seconds=2.34567)
    content = json.loads(json.dumps(history.to_dict({"seed": 1})))
    assert content["epochs"] == [content["best"]]
    assert set(content["best"]) == {
        "phase", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds",
    }  # fmt: skip
    assert (content["seconds"], content["config"]) == (2.346, {"seed": 1})

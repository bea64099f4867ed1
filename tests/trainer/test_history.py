from darkroom.records.training import EpochRecord
from darkroom.trainer.history import EarlyStop, History


def record(epoch: int, val_loss: float) -> EpochRecord:
    return EpochRecord("head", epoch, 0.5, 0.5, val_loss, 0.5, 1.0)


def test_best_is_the_first_epoch_with_the_lowest_validation_loss():
    history = History([record(1, 0.3), record(2, 0.2), record(3, 0.2)])
    assert history.best.epoch == 2


def test_epoch_that_diverged_is_not_the_best():
    history = History([record(1, float("nan")), record(2, 0.2), record(3, float("nan"))])
    assert history.best.epoch == 2


def test_the_record_has_a_sentence_with_the_epoch_kept_in_the_end():
    history = History([record(1, 0.3), record(2, 0.2)], [EarlyStop("head", 1, 5, 2)], 2.5)
    found = history.to_record({"seed": 1})
    assert (found.epochs, found.best) == (tuple(history.epochs), history.best)
    (stop,) = found.early_stops
    assert stop.startswith("head stopped early after epoch 1 of 5: ")
    assert stop.endswith("weights of epoch 2 in all kept")
    assert (found.seconds, found.config) == (2.5, {"seed": 1})

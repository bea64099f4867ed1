import keras
import numpy as np
import pytest

from darkroom.records.training import EpochRecord, Phase
from darkroom.trainer.engines.keras.callbacks import (
    CosineDecay,
    EpochLog,
    KeepBest,
    StopLog,
    format_epoch,
)
from darkroom.trainer.history import History


class WithModel:
    """A model whose one weight says in which epoch it was."""

    def __init__(self) -> None:
        self.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        self.model.compile("sgd", "mse")

    @property
    def weight(self) -> float:
        return float(self.model.get_weights()[0].item())

    def fit(self, callback: keras.callbacks.Callback, losses: list[float]) -> int:
        """Plays a fit whose epochs reach `losses`; returns how many epochs ran."""
        callback.set_model(self.model)
        self.model.stop_training = False
        callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            self.model.set_weights([np.array([[loss]])])
            callback.on_epoch_end(epoch, {"val_loss": loss})
            if self.model.stop_training:
                return epoch + 1
        return len(losses)


@pytest.mark.parametrize(
    ("patience", "losses", "epochs", "best"),
    [
        (2, [3.0, 2.0, 2.5, 2.5, 1.0], 4, 2.0),
        (2, [3.0, 4.0, 2.0, 4.0, 1.0], 5, 1.0),
        (1, [3.0, 3.0, 1.0], 2, 3.0),
        (None, [1.0, 2.0, 3.0, 4.0], 4, 1.0),
        (2, [1.0, float("nan"), float("nan"), 0.5], 3, 1.0),
    ],
)
def test_fit_ends_after_patience_and_best_weights_come_back(patience, losses, epochs, best):
    player, keep_best = WithModel(), KeepBest(patience)
    assert player.fit(keep_best, losses) == epochs
    keep_best.restore(player.model)
    assert player.weight == best


def test_best_of_an_earlier_fit_survives_a_worse_later_one():
    player, keep_best = WithModel(), KeepBest(2)
    player.fit(keep_best, [2.0, 1.0, 1.5])
    assert player.fit(keep_best, [5.0, 4.0, 3.0]) == 2, "patience counts anew, from the best"
    keep_best.restore(player.model)
    assert player.weight == 1.0


def test_learning_rate_falls_from_the_peak_along_a_cosine():
    player, decay = WithModel(), CosineDecay(peak=0.4, epochs=4)
    decay.set_model(player.model)
    rates = []
    for epoch in range(4):
        decay.on_epoch_begin(epoch)
        rates.append(float(player.model.optimizer.learning_rate))
    expected = [0.4, 0.2 * (1 + np.sqrt(0.5)), 0.2, 0.2 * (1 - np.sqrt(0.5))]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_epochs_are_recorded_and_reported(caplog):
    history, numbers = History(), {"loss": 0.5, "accuracy": 0.25, "val_loss": 0.75}
    log = EpochLog(history, "head", total_epochs=12)
    with caplog.at_level("INFO", logger="darkroom.progress"):
        for val_accuracy in (0.5, 0.625):
            log.on_epoch_begin(0)
            log.on_epoch_end(0, {**numbers, "val_accuracy": val_accuracy})
    assert [record.epoch for record in history.epochs] == [1, 2]
    assert history.epochs[1].val_accuracy == 0.625
    assert [record.message.split("  ")[0].strip() for record in caplog.records] == [
        "epoch 1/12 head",
        "epoch 2/12 head",
    ]


def test_line_of_an_epoch():
    record = EpochRecord("fine_tune", 3, 0.1321, 0.9681, 0.1, 0.95, 2.06)
    assert format_epoch(record, 12) == (
        "epoch 3/12 fine-tune  loss 0.132  accuracy 0.968  "
        "val_loss 0.100  val_accuracy 0.950  2.1 s"
    )


def played_log(ran: int, epochs: int, patience: int | None, reports: bool = True) -> History:
    """A fine-tuning of `ran` epochs behind a head of 3; the fifth epoch of all is the best."""
    losses = [3.0, 2.9, 2.8, 2.0, 1.0, *[1.5] * 20][: 3 + ran]
    names: tuple[Phase, Phase] = ("head", "fine_tune")
    phases = [names[number >= 3] for number in range(3 + ran)]
    records = [
        EpochRecord(phase, number, 1.0, 0.5, loss, 0.5, 1.0)
        for number, (phase, loss) in enumerate(zip(phases, losses, strict=True), 1)
    ]
    history = History(records)
    StopLog(history, "fine_tune", epochs, patience, reports).on_train_end()
    return history


def test_early_stop_is_told_and_recorded_in_one_line(caplog):
    with caplog.at_level("INFO", logger="darkroom.progress"):
        history = played_log(ran=7, epochs=10, patience=5)
    line = (
        "fine-tune stopped early after epoch 7 of 10: val_loss had not improved for 5 epochs; "
        "weights of epoch 5 in all kept"
    )
    assert [record.message for record in caplog.records] == [line]
    assert history.to_record({}).early_stops == (line,)


@pytest.mark.parametrize(("ran", "patience"), [(10, 5), (4, None)])
def test_fit_that_was_not_ended_early_is_not_told(caplog, ran, patience):
    with caplog.at_level("INFO", logger="darkroom.progress"):
        assert played_log(ran, 10, patience).to_record({}).early_stops == ()
    assert not caplog.records


def test_early_stop_is_told_by_the_chief_alone(caplog):
    with caplog.at_level("INFO", logger="darkroom.progress"):
        assert len(played_log(7, 10, 5, reports=False).early_stops) == 1
    assert not caplog.records

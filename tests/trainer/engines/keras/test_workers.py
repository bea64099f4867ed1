"""Several replicas train as one does: real processes that meet on loopback."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import tensorflow as tf

from darkroom.tests.images import encode
from darkroom.tests.ports import free_ports
from darkroom.tests.trainer.fn_args import make_fn_args, striped
from darkroom.trainer.config import TrainerConfig

CONFIG = TrainerConfig(
    backbone="mobilenet_v2",
    alpha=0.35,
    weights="letters",
    # All images at once: their order, which each worker shuffles anew, does not matter.
    batch_size=32,
    dropout=0.0,
    head_epochs=2,
    head_learning_rate=0.01,
    fine_tune_epochs=2,
    fine_tune_fraction=0.1,
    fine_tune_learning_rate=0.0003,
    freeze_batch_norm=False,
    weight_average=0.5,
)
IMAGES = 18
"""Those of the eval split are one less: one of the replicas gets an image that does not count."""
SETTINGS: dict[str, Any] = {"trainer": {}, "join_seconds": 90, "stall_seconds": 300}
PROGRAM = Path(__file__).with_name("worker_program.py")
ROOT = PROGRAM.parents[4]
PATIENCE = 400
"""Seconds, on a machine however busy."""


class Worker:
    """A process that trains; `ports` of all workers, none for one that trains alone."""

    def __init__(self, folder: Path, given: Path, settings: dict, ports: list[int], index: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "1"}
        if ports:
            addresses = [f"127.0.0.1:{port}" for port in ports]
            task = {"type": "worker", "index": index}
            cluster = {"cluster": {"worker": addresses}, "task": task}
            environment["TF_CONFIG"] = json.dumps(cluster)
        self._errors: IO[bytes] = (folder / f"stderr-{index}").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder), str(given), json.dumps(settings)],
            stderr=self._errors,
            env=environment,
        )

    def wait(self) -> tuple[int, str]:
        """Exit code and standard error."""
        code = self.process.wait(PATIENCE)
        return code, self.said()

    def said(self) -> str:
        return Path(self._errors.name).read_text()

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while words not in self.said():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()[-2000:]
            time.sleep(0.1)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._errors.close()


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Path:
    """A file with what TFX gives to `run_fn`."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "fn_args.json").write_text(json.dumps(vars(make_fn_args(folder, CONFIG, IMAGES))))
    return folder / "fn_args.json"


@pytest.fixture
def start(given):
    workers = []

    def begin(folder: Path, *arguments) -> Worker:
        workers.append(Worker(folder, given, *arguments))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.end()


def result(folder: Path, index: int = 0) -> dict[str, Any]:
    return json.loads((folder / f"{index}.json").read_text())


def epochs(folder: Path, index: int = 0) -> list[tuple[float, ...]]:
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return [tuple(record[name] for name in names) for record in result(folder, index)["epochs"]]


def test_two_workers_and_two_devices_train_what_one_process_trains(tmp_path, start):
    alone, together, devices = (tmp_path / name for name in ("alone", "together", "devices"))
    ports = free_ports(2)
    pair = [start(together, SETTINGS, ports, index) for index in (0, 1)]
    said = [worker.wait() for worker in pair]
    assert [code for code, _ in said] == [0, 0], said[0][1][-2000:]
    assert "epoch 4/4 fine-tune" in said[0][1]
    assert "epoch 4/4" not in said[1][1], "only the chief reports"
    others = [start(alone, SETTINGS, []), start(devices, {**SETTINGS, "processors": 2}, [])]
    assert [worker.wait()[0] for worker in others] == [0, 0]
    assert epochs(together, 0) == epochs(together, 1)
    assert result(together, 0)["answers"] == result(together, 1)["answers"]
    for folder in (together, devices):
        several, one = np.array(epochs(folder)), np.array(epochs(alone))
        np.testing.assert_allclose(several[:2], one[:2], atol=1e-5)
        np.testing.assert_allclose(several[2:, :2], one[2:, :2], atol=1e-3)
        # One process keeps the variance of a sample, several replicas that of the images.
        np.testing.assert_allclose(several[2:, 2:], one[2:, 2:], atol=0.02)
        np.testing.assert_allclose(result(folder)["answers"], result(alone)["answers"], atol=0.02)
        assert_it_answers(folder / "model")


def assert_it_answers(model: Path) -> None:
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]
    answer = serve(image_bytes=tf.constant([encode(striped("standing", 7))]))
    assert answer["valid"].numpy().tolist() == [True]


def test_one_process_and_two_devices_say_that_they_stopped_early(tmp_path, start):
    trainer = {"head_epochs": 12, "head_learning_rate": 1.0, "fine_tune_epochs": 0}
    for processors in (1, 2):
        folder = tmp_path / str(processors)
        code, said = start(
            folder,
            {
                **SETTINGS,
                "trainer": {**trainer, "early_stopping_patience": 1},
                "processors": processors,
            },
            [],
        ).wait()
        assert code == 0, said[-2000:]
        (stop,) = result(folder)["early_stops"]
        assert stop.startswith(f"head stopped early after epoch {len(epochs(folder))} of")
        assert f"{stop}\n" in said


def test_a_worker_that_dies_ends_the_others_with_a_clear_line(tmp_path, start):
    ports = free_ports(2)
    endless = {**SETTINGS, "trainer": {"head_epochs": 100_000, "early_stopping_patience": None}}
    chief, other = (start(tmp_path, endless, ports, index) for index in (0, 1))
    chief.wait_for("epoch 3/")
    other.process.kill()
    code, said = chief.wait()
    assert code == 1
    # TensorFlow logs after it what it thinks of the end.
    (line,) = [each for each in said.splitlines() if "DistributionError: " in each]
    assert "another worker was lost" in line
    assert "see the logs of the other workers" in line


def test_a_worker_whose_fellow_never_starts_gives_up(tmp_path, start):
    code, said = start(tmp_path, {**SETTINGS, "join_seconds": 1}, free_ports(2)).wait()
    assert code == 1
    assert "waits for 2 workers, at most 1 s" in said
    assert said.splitlines()[-1] == (
        "error: worker 0 of 2 waited 1 s and not all of them have started; "
        "see which pods are pending, and the logs of the others"
    )

"""Several replicas train as one does: real processes that meet on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from darkroom.tests.ports import free_ports

SETTINGS = {
    "trainer": {
        "batch_size": 8,
        "head_epochs": 1,
        "fine_tune_epochs": 3,
        "fine_tune_fraction": 1.0,
        "fine_tune_learning_rate": 0.01,
        "freeze_batch_norm": False,
        "weight_average": 0.5,
    },
    "examples": 33,
    "join_seconds": 90,
    "stall_seconds": 60,
}
"""Thirty-three do not divide by two: one of the replicas gets a last batch that does not count."""
ENDLESS = {**SETTINGS, "endless": True}
PROGRAM = Path(__file__).with_name("worker_program.py")
ROOT = PROGRAM.parents[3]
PATIENCE = 120
"""Seconds, on a machine however busy."""


class Worker:
    """A process that trains; `ports` of all workers, none for one that trains alone."""

    def __init__(self, folder: Path, settings: dict[str, Any], ports: list[int], index: int = 0):
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "1"}
        if ports:
            addresses = [f"127.0.0.1:{port}" for port in ports]
            task = {"type": "worker", "index": index}
            cluster = {"cluster": {"worker": addresses}, "task": task}
            environment["TF_CONFIG"] = json.dumps(cluster)
        self._errors: IO[bytes] = (folder / f"stderr-{index}").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(folder), json.dumps(settings)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )

    def wait(self) -> tuple[int, str]:
        """Exit code and standard error."""
        code = self.process.wait(PATIENCE)
        self._errors.seek(0)
        return code, self._errors.read().decode()

    def wait_for_training(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"training\n", self.wait()[1][-2000:]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._errors.close()
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def start():
    workers = []

    def begin(*arguments) -> Worker:
        workers.append(Worker(*arguments))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.end()


def weights(folder: Path, index: int = 0) -> list[np.ndarray]:
    content = np.load(folder / f"weights-{index}.npz")
    return [content[name] for name in content.files]


def epochs(folder: Path, index: int = 0) -> list[tuple[float, float, float, float]]:
    history = json.loads((folder / f"history-{index}.json").read_text())
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return [tuple(record[name] for name in names) for record in history["epochs"]]


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
    for first, second in zip(weights(together, 0), weights(together, 1), strict=True):
        np.testing.assert_array_equal(first, second)
    assert epochs(together, 0) == epochs(together, 1)
    for folder in (together, devices):
        for one, several in zip(weights(alone), weights(folder), strict=True):
            # The image that fills the last batch is in the statistics of batch normalization.
            np.testing.assert_allclose(several, one, atol=0.01)
        np.testing.assert_allclose(epochs(folder), epochs(alone), atol=0.002)


def test_one_process_and_two_devices_say_that_they_stopped_early(tmp_path, start):
    trainer = {
        **SETTINGS["trainer"],
        "fine_tune_epochs": 12,
        "fine_tune_learning_rate": 1.0,
        "early_stopping_patience": 1,
    }
    for processors in (1, 2):
        folder = tmp_path / str(processors)
        settings = {**SETTINGS, "trainer": trainer, "processors": processors}
        code, said = start(folder, settings, []).wait()
        assert code == 0, said[-2000:]
        (stop,) = json.loads((folder / "history-0.json").read_text())["early_stops"]
        assert stop.startswith(f"fine-tune stopped early after epoch {len(epochs(folder)) - 1} of")
        assert f"{stop}\n" in said


def test_a_worker_that_dies_ends_the_others_with_a_clear_line(tmp_path, start):
    ports = free_ports(2)
    chief, other = (start(tmp_path, ENDLESS, ports, index) for index in (0, 1))
    other.wait_for_training()
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

"""One worker of a training, in a process of its own: `worker_program.py FOLDER FN_ARGS SETTINGS`.

It does what `run_fn` does, and writes to FOLDER its history, and what its network answers.
"""

import json
import logging
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from darkroom.tests.trainer.fn_args import striped
from darkroom.trainer.engines.engine import Job, TrainedNetwork
from darkroom.trainer.engines.keras import engine as engine_module
from darkroom.trainer.engines.keras.engine import KerasEngine
from darkroom.trainer.engines.keras.replicas import Replicas
from darkroom.trainer.run import train_and_export


@dataclass(frozen=True)
class Recorded(KerasEngine):
    """The engine, whose results every worker leaves in a folder."""

    folder: Path = Path()

    def train(self, job: Job) -> TrainedNetwork:
        trained = super().train(job)
        images = np.stack([striped(direction, 7) for direction in ("lying", "standing")])
        probabilities, _ = trained.network(tf.constant(images))
        content = {
            **asdict(trained.history.to_record({})),
            "answers": probabilities.numpy().tolist(),
        }
        (self.folder / f"{job.cluster.number}.json").write_text(json.dumps(content))
        return trained


def use_processors(count: int) -> None:
    """Lets as many devices train as a machine with several GPUs has."""
    parts = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)

    names = [f"CPU:{number}" for number in range(count)]
    strategy = tf.distribute.MirroredStrategy(names)
    vars(engine_module)["join"] = lambda cluster, *seconds: Replicas(cluster, strategy)


def main(folder: Path, fn_args: SimpleNamespace, settings: dict[str, Any]) -> None:
    logging.basicConfig(level=logging.INFO)
    if "processors" in settings:
        use_processors(settings["processors"])
    fn_args.serving_model_dir = str(folder / "model")
    fn_args.model_run_dir = str(folder)
    fn_args.custom_config["trainer"] |= settings["trainer"]
    seconds = (settings["join_seconds"], settings["stall_seconds"])
    train_and_export(fn_args, Recorded(*seconds, folder))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        SimpleNamespace(**json.loads(Path(sys.argv[2]).read_text())),
        json.loads(sys.argv[3]),
    )

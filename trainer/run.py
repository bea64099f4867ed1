"""The function that TFX's Trainer calls: `darkroom.trainer.run.run_fn`."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from darkroom.records.machine import Machine
from darkroom.serving.signatures import export, read_classes
from darkroom.trainer.cluster import CLUSTER_VARIABLE, read_cluster
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.engine import Engine, Job, load_engine
from darkroom.trainer.errors import TrainerError
from darkroom.transform.config import TransformConfig


def run_fn(fn_args: Any) -> None:
    """Trains on the examples and exports the model with its serving signatures.

    Args:
        fn_args: TFX's `FnArgs`; `custom_config` holds the recipe's sections `trainer` and
            `transform`.

    Raises:
        TrainerError: The examples, the weights or the configuration cannot be used.
    """
    train_and_export(fn_args, load_engine())


def train_and_export(fn_args: Any, engine: Engine) -> None:
    """What `run_fn` does, with any engine."""
    config = TrainerConfig(**_section(fn_args.custom_config, "trainer"))
    transform = TransformConfig(**_section(fn_args.custom_config, "transform"))
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    job = Job(
        config=config,
        classes=tuple(read_classes(transform_output)),
        transform=transform,
        train_files=tuple(fn_args.train_files),
        eval_files=tuple(fn_args.eval_files),
        folder=Path(fn_args.model_run_dir),
        cluster=read_cluster(os.environ.get(CLUSTER_VARIABLE)),
    )
    trained = engine.train(job)
    if not job.cluster.is_chief:
        # TFX asks for it on every worker.
        Path(fn_args.serving_model_dir).mkdir(parents=True, exist_ok=True)
        return
    export(trained.network, transform_output, transform, fn_args.serving_model_dir)
    record = trained.history.to_record(config.model_dump(mode="json"))
    machine = Machine.here(gpus=_name_gpus())
    replace(record, machine=machine, weights=config.weights_origin).write(job.folder)


def _name_gpus() -> list[str]:
    found = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in found]
    return [each.get("device_name", "GPU") for each in details]


def _section(custom_config: dict[str, Any] | None, name: str) -> dict[str, Any]:
    section = (custom_config or {}).get(name)
    if section is None:
        raise TrainerError(
            f"custom_config has no key {name!r}; give Trainer the recipe's {name} section there"
        )
    return section

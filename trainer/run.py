"""The function that TFX's Trainer calls: `darkroom.trainer.run.run_fn`."""

import os
from pathlib import Path
from typing import Any

import keras
import tensorflow_transform as tft

from darkroom.serving.signatures import export
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.distribution import CLUSTER_VARIABLE, create_strategy, divide, read_cluster
from darkroom.trainer.engines import keras_engine
from darkroom.trainer.errors import TrainerError
from darkroom.trainer.input import eval_batches, read_examples, read_image_shape, train_batches
from darkroom.trainer.model import build_model
from darkroom.transform.config import TransformConfig
from darkroom.transform.features import LABEL_VOCABULARY


def run_fn(fn_args: Any) -> None:
    """Trains on Transform's output and exports the model with its serving signatures.

    The seed fixes initial weights, order, augmentation and dropout. The last digits of a result
    still vary, because threads add up floats in whatever order they finish.

    Args:
        fn_args: TFX's `FnArgs`; `custom_config` holds the recipe's sections `trainer` and
            `transform`.

    Raises:
        TrainerError: The examples, the weights or the configuration cannot be used.
    """
    config = TrainerConfig(**_section(fn_args.custom_config, "trainer"))
    transform_config = TransformConfig(**_section(fn_args.custom_config, "transform"))
    cluster = read_cluster(os.environ.get(CLUSTER_VARIABLE))
    # First of all: TensorFlow joins the other workers before it computes anything.
    strategy = create_strategy(cluster)
    share = divide(config, cluster, strategy)
    keras.utils.set_random_seed(config.seed)
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    shape = read_image_shape(fn_args.train_files)
    classes = transform_output.vocabulary_size_by_name(LABEL_VOCABULARY)
    model = build_model(config, classes, shape[0], shape[1])
    run_folder = Path(fn_args.model_run_dir)
    history = keras_engine.train(
        model,
        train_batches(share.of(read_examples(fn_args.train_files, shape)), share.config),
        eval_batches(share.of(read_examples(fn_args.eval_files, shape)), share.config),
        config,
        log_folder=run_folder,
        replicas=keras_engine.Replicas(strategy, cluster) if strategy else None,
    )
    if not cluster.is_chief:
        # TFX asks for it on every worker.
        Path(fn_args.serving_model_dir).mkdir(parents=True, exist_ok=True)
        return
    export(model, transform_output, transform_config, fn_args.serving_model_dir)
    history.to_record(config.model_dump(mode="json")).write(run_folder)


def _section(custom_config: dict[str, Any] | None, name: str) -> dict[str, Any]:
    section = (custom_config or {}).get(name)
    if section is None:
        raise TrainerError(
            f"custom_config has no key {name!r}; give Trainer the recipe's {name} section there"
        )
    return section

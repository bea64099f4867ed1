"""What TFX's Trainer hands to `run_fn`: striped pictures that Transform has seen."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from darkroom.tests.images import encode
from darkroom.tests.trainer.test_examples import write_raw
from darkroom.tests.transform_graphs import build_transform_output
from darkroom.trainer.config import TrainerConfig
from darkroom.transform.config import TransformConfig

SIZE = 32
TRANSFORM = TransformConfig(image_height=SIZE, image_width=SIZE)


def striped(direction: str, seed: int) -> np.ndarray:
    """uint8 [SIZE, SIZE, 3]: noisy stripes that lie or stand."""
    stripes = np.where(np.arange(SIZE) // 4 % 2, 220, 30)[:, np.newaxis]
    grey = np.broadcast_to(stripes if direction == "lying" else stripes.T, (SIZE, SIZE))
    noise = np.random.default_rng(seed).integers(-20, 21, (SIZE, SIZE))
    return np.repeat((grey + noise)[:, :, np.newaxis], 3, axis=2).astype(np.uint8)


def make_fn_args(folder: Path, config: TrainerConfig, count: int = 16) -> SimpleNamespace:
    """Writes `count` images to train on; all but the last are those of the eval split.

    What is trained goes to `folder` too.
    """
    labels = [("lying", "standing")[number % 2] for number in range(count)]
    images = [encode(striped(label, seed)) for seed, label in enumerate(labels)]
    output, _ = build_transform_output(folder, images, labels, TRANSFORM)
    files = {
        split: write_raw(folder / split, images[:size], labels[:size])
        for split, size in (("train", count), ("eval", count - 1))
    }
    return SimpleNamespace(
        train_files=[files["train"]],
        eval_files=[files["eval"]],
        transform_output=output.transform_savedmodel_dir.rsplit("/", 1)[0],
        serving_model_dir=str(folder / "model" / "Format-Serving"),
        model_run_dir=str(folder / "model_run"),
        custom_config={
            "trainer": config.model_dump(mode="json"),
            "transform": TRANSFORM.model_dump(mode="json"),
            "source": "a fingerprint",
        },
    )


def changed(fn_args: SimpleNamespace, **fields: object) -> SimpleNamespace:
    """A copy with other fields."""
    return SimpleNamespace(**{**vars(fn_args), **fields})

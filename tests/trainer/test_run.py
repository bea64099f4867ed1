import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from darkroom.records.training import TrainingRecord
from darkroom.tests.images import encode
from darkroom.tests.trainer.test_input import write_examples
from darkroom.tests.transform_graphs import build_transform_output
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.errors import InputError, TrainerError
from darkroom.trainer.run import run_fn
from darkroom.transform.config import TransformConfig

SIZE = 32
CONFIG = TrainerConfig(
    backbone="mobilenet_v2",
    alpha=0.35,
    weights="letters",
    batch_size=8,
    head_epochs=3,
    head_learning_rate=0.03,
    fine_tune_epochs=0,
    dropout=0.0,
)
TRANSFORM = TransformConfig(image_height=SIZE, image_width=SIZE)


def striped(direction: str, seed: int) -> np.ndarray:
    """uint8 [SIZE, SIZE, 3]: noisy stripes that lie or stand."""
    stripes = np.where(np.arange(SIZE) // 4 % 2, 220, 30)[:, np.newaxis]
    grey = np.broadcast_to(stripes if direction == "lying" else stripes.T, (SIZE, SIZE))
    noise = np.random.default_rng(seed).integers(-20, 21, (SIZE, SIZE))
    return np.repeat((grey + noise)[:, :, np.newaxis], 3, axis=2).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What Transform would leave, and `run_fn`'s output on it."""
    folder = tmp_path_factory.mktemp("run_fn")
    labels = ["lying", "standing"] * 8
    images = [striped(label, seed) for seed, label in enumerate(labels)]
    output, _ = build_transform_output(folder, [encode(i) for i in images], labels, TRANSFORM)
    vocabulary = [name.decode() for name in output.vocabulary_by_name("labels")]
    indices = [vocabulary.index(label) for label in labels]
    files = {}
    for split in ("train", "eval"):
        (folder / split).mkdir()
        files[split] = write_examples(folder / split / "a.gz", np.stack(images), indices)
    fn_args = SimpleNamespace(
        train_files=[files["train"]],
        eval_files=[files["eval"]],
        transform_output=output.transform_savedmodel_dir.rsplit("/", 1)[0],
        serving_model_dir=str(folder / "model" / "Format-Serving"),
        model_run_dir=str(folder / "model_run"),
        custom_config={
            "trainer": CONFIG.model_dump(mode="json"),
            "transform": TRANSFORM.model_dump(mode="json"),
            "source": "a fingerprint",
        },
    )
    run_fn(fn_args)
    return folder, fn_args


def test_exported_model_names_unseen_images(trained):
    _, fn_args = trained
    serve = tf.saved_model.load(fn_args.serving_model_dir).signatures["serving_default"]
    answer = serve(
        image_bytes=tf.constant([encode(striped("standing", 90)), encode(striped("lying", 91))])
    )
    assert answer["label"].numpy().tolist() == [b"standing", b"lying"]


def test_history_is_written(trained):
    folder, _ = trained
    history = TrainingRecord.read(folder / "model_run")
    assert [record.epoch for record in history.epochs] == [1, 2, 3]
    assert history.best.val_accuracy == 1.0
    assert history.seconds > 0
    assert TrainerConfig(**history.config) == CONFIG


def changed(fn_args: SimpleNamespace, **fields) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(fn_args), **fields})


@pytest.mark.parametrize("section", ["trainer", "transform"])
def test_missing_section_is_named(trained, section):
    rest = {k: v for k, v in trained[1].custom_config.items() if k != section}
    with pytest.raises(TrainerError, match=f"no key '{section}'"):
        run_fn(changed(trained[1], custom_config=rest))


def test_empty_eval_split_is_an_error_before_training(trained, tmp_path):
    pattern = write_examples(tmp_path / "a.gz", np.zeros((0, SIZE, SIZE, 3), np.uint8), [])
    with pytest.raises(InputError, match="more images"):
        run_fn(changed(trained[1], eval_files=[pattern]))


def test_dotted_path_given_to_tfx_is_this_function():
    found = importlib.import_module("darkroom.trainer.run").run_fn
    # TFX imports the module anew when it runs a Trainer, so it need not be the same object.
    assert found.__code__.co_filename == run_fn.__code__.co_filename
    assert found.__qualname__ == "run_fn"

import importlib

import pytest
import tensorflow as tf

from darkroom.records.training import TrainingRecord
from darkroom.tests.images import encode
from darkroom.tests.trainer.fn_args import changed, make_fn_args, striped
from darkroom.tests.trainer.test_examples import write_raw
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.errors import InputError, TrainerError
from darkroom.trainer.run import run_fn

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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What Transform would leave, and `run_fn`'s output on it."""
    folder = tmp_path_factory.mktemp("run_fn")
    fn_args = make_fn_args(folder, CONFIG)
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


@pytest.mark.parametrize("section", ["trainer", "transform"])
def test_missing_section_is_named(trained, section):
    rest = {k: v for k, v in trained[1].custom_config.items() if k != section}
    with pytest.raises(TrainerError, match=f"no key '{section}'"):
        run_fn(changed(trained[1], custom_config=rest))


def test_empty_eval_split_is_an_error_before_training(trained, tmp_path):
    pattern = write_raw(tmp_path / "a", [], [])
    with pytest.raises(InputError, match="more images"):
        run_fn(changed(trained[1], eval_files=[pattern]))


def test_an_image_that_cannot_be_decoded_is_named(trained, tmp_path):
    images = [encode(striped("lying", 1)), b"broken"]
    pattern = write_raw(tmp_path / "a", images, ["lying", "standing"])
    with pytest.raises(InputError, match=r"'1\.png' cannot be decoded by TensorFlow; remove it"):
        run_fn(changed(trained[1], train_files=[pattern]))


def test_dotted_path_given_to_tfx_is_this_function():
    found = importlib.import_module("darkroom.trainer.run").run_fn
    # TFX imports the module anew when it runs a Trainer, so it need not be the same object.
    assert found.__code__.co_filename == run_fn.__code__.co_filename
    assert found.__qualname__ == "run_fn"

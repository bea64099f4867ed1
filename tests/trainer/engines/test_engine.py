"""The seam: an engine that shares nothing with Keras trains, is exported, and answers."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from darkroom.records.training import EpochRecord, TrainingRecord
from darkroom.tests.images import encode
from darkroom.tests.trainer.fn_args import changed, make_fn_args, striped
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.engine import ENGINES, Job, TrainedNetwork, load_engine
from darkroom.trainer.examples import read_examples
from darkroom.trainer.history import History
from darkroom.trainer.input import eval_batches, train_batches
from darkroom.trainer.run import train_and_export

CONFIG = TrainerConfig(weights="none", batch_size=5, head_epochs=1, fine_tune_epochs=0)


class NearestMean:
    """Calls an image what the training images are called whose mean it is closest to."""

    def check_weights(self, config: TrainerConfig, image_shape: tuple[int, int, int]) -> None:
        """It starts from nothing."""

    def train(self, job: Job) -> TrainedNetwork:
        batches = [
            make(
                read_examples(files, job.classes, job.transform),
                job.config,
                len(job.classes),
                job.folder,
            )
            for make, files in ((train_batches, job.train_files), (eval_batches, job.eval_files))
        ]
        embedded, targets = collect(batches[0])
        means = (targets.T @ embedded / targets.sum(axis=0)[:, np.newaxis]).astype(np.float32)

        def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            embedding = embed(images)
            distances = tf.norm(embedding[:, tf.newaxis] - means, axis=2)
            return tf.nn.softmax(-distances), embedding

        images, wanted = zip(*batches[1], strict=True)
        named = network(tf.concat(images, axis=0))[0]
        accuracy = float(np.mean(np.argmax(named, 1) == np.argmax(np.concatenate(wanted), 1)))
        return TrainedNetwork(network, History([EpochRecord("head", 1, 1, 1, 1, accuracy, 0.1)]))


def embed(images: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.cast(images, tf.float32) / 255.0, (-1, np.prod(images.shape[1:])))


def collect(batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(embed(images).numpy(), targets.numpy()) for images, targets in batches]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


@pytest.fixture(scope="module")
def fn_args(tmp_path_factory):
    return make_fn_args(tmp_path_factory.mktemp("engine"), CONFIG, 12)


def test_another_engine_trains_is_exported_and_answers(fn_args):
    train_and_export(fn_args, NearestMean())
    assert TrainingRecord.read(Path(fn_args.model_run_dir)).best.val_accuracy == 1.0
    signatures = tf.saved_model.load(fn_args.serving_model_dir).signatures
    images = tf.constant([encode(striped(name, 90)) for name in ("standing", "lying")])
    answer = signatures["serving_default"](image_bytes=images)
    assert answer["label"].numpy().tolist() == [b"standing", b"lying"]
    assert signatures["embed"](image_bytes=images)["embedding"].shape == (2, 32 * 32 * 3)


def test_a_worker_that_is_not_the_chief_writes_no_model(fn_args, tmp_path, monkeypatch):
    cluster = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}
    task = {"type": "worker", "index": 1}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    folders = {name: str(tmp_path / name) for name in ("serving_model_dir", "model_run_dir")}
    train_and_export(changed(fn_args, **folders), NearestMean())
    assert list(tmp_path.iterdir()) == [tmp_path / "serving_model_dir"]
    assert not list((tmp_path / "serving_model_dir").iterdir())


@pytest.mark.parametrize("name", ENGINES)
def test_engines_are_found_by_name(name):
    assert callable(load_engine(name).train)

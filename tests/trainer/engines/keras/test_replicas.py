import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.trainer.cluster import ALONE, Cluster
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.replicas import PADDING, Replicas, Share, first_line, join
from darkroom.trainer.errors import DistributionError


def test_a_process_that_computed_already_cannot_join(monkeypatch):
    addresses = [f"127.0.0.1:{port}" for port in (1, 2)]
    roles = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(roles))
    tf.constant(1)
    with pytest.raises(DistributionError, match="worker 1 of 2 cannot join the others"):
        join(Cluster(2, 1))


class FourReplicas:
    num_replicas_in_sync = 4


def test_all_replicas_together_see_the_recipes_batch():
    config = TrainerConfig(batch_size=32, seed=5)
    share = Replicas(Cluster(2, 1), FourReplicas()).divide(config)
    assert (share.replicas, share.first, share.own) == (4, 2, 2)
    assert share.config == config.model_copy(update={"batch_size": 16, "seed": 6})
    assert join(ALONE).divide(config) == Share(config)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(DistributionError, match=r"trainer\.batch_size: 30 .*multiple of 4"):
        Replicas(Cluster(2, 0), FourReplicas()).divide(TrainerConfig(batch_size=30))


def test_one_replica_takes_the_examples_as_they_are():
    examples = tf.data.Dataset.range(3)
    assert Share(TrainerConfig()).of(examples) is examples


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 20), workers=st.integers(1, 4), own=st.integers(1, 3))
def test_shares_are_equal_in_size_and_hold_each_example_once(count, workers, own):
    numbers = np.arange(count)
    examples = tf.data.Dataset.from_tensor_slices((numbers, numbers))
    shares = [
        [
            (int(image), int(label))
            for image, label in Share(TrainerConfig(), workers * own, worker * own, own).of(
                examples
            )
        ]
        for worker in range(workers)
    ]
    assert len({len(share) for share in shares}) == 1
    assert len(shares[0]) % own == 0, "the replicas of one worker get equally many too"
    real = [(image, label) for share in shares for image, label in share if label != PADDING]
    assert sorted(real) == [(number, number) for number in range(count)]


def test_errors_of_tensorflow_are_told_in_one_line():
    text = "Graph execution error:\n\nDetected at node X\n  File 'a.py'\nWorker 1 is down\n\t [[x]]"
    assert first_line(RuntimeError(text)) == "Worker 1 is down"
    assert first_line(RuntimeError()) == "RuntimeError"

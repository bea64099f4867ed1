import json
import threading

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.trainer import distribution
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.distribution import (
    PADDING,
    Cluster,
    Share,
    Watchdog,
    create_strategy,
    divide,
    first_line,
    read_cluster,
)
from darkroom.trainer.errors import DistributionError


def cluster(task_type: str, index: int, **counts: int) -> str:
    roles = {role: [f"{role}-{n}:2222" for n in range(count)] for role, count in counts.items()}
    return json.dumps(
        {"cluster": roles, "task": {"type": task_type, "index": index}, "environment": "cloud"}
    )


@pytest.mark.parametrize("text", [None, "", "{}", '{"task": {"type": "worker", "index": 0}}'])
def test_without_a_cluster_one_worker_trains_alone(text):
    assert read_cluster(text) == Cluster(1, 0)
    assert create_strategy(read_cluster(text)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (cluster("worker", 0, worker=3), Cluster(3, 0)),
        (cluster("worker", 2, worker=3), Cluster(3, 2)),
        (cluster("chief", 0, chief=1, worker=2), Cluster(3, 0)),
        (cluster("worker", 0, chief=1, worker=2), Cluster(3, 1)),
        (cluster("worker", 0, worker=1), Cluster(1, 0)),
    ],
)
def test_workers_and_chief_are_counted_in_order(text, expected):
    found = read_cluster(text)
    assert found == expected
    assert found.is_chief == (expected.number == 0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it should be JSON"),
        ("[1]", "it should be JSON"),
        (cluster("worker", 0, worker=2, ps=1), "roles should be worker"),
        (cluster("evaluator", 0, worker=2), "it has no evaluator number 0"),
        (cluster("worker", 2, worker=2), "it has no worker number 2"),
    ],
)
def test_what_is_no_cluster_is_refused_in_one_line(text, reason):
    with pytest.raises(DistributionError, match=f"TF_CONFIG: .*{reason}.*TFJob") as caught:
        read_cluster(text)
    assert "\n" not in str(caught.value)


def test_a_process_that_computed_already_cannot_join(monkeypatch):
    addresses = [f"127.0.0.1:{port}" for port in (1, 2)]
    roles = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(roles))
    tf.constant(1)
    with pytest.raises(DistributionError, match="worker 1 of 2 cannot join the others"):
        create_strategy(Cluster(2, 1))


class FourReplicas:
    num_replicas_in_sync = 4


def test_all_replicas_together_see_the_recipes_batch():
    config = TrainerConfig(batch_size=32, seed=5)
    share = divide(config, Cluster(2, 1), FourReplicas())
    assert (share.replicas, share.first, share.own) == (4, 2, 2)
    assert share.config == config.model_copy(update={"batch_size": 16, "seed": 6})
    assert divide(config, Cluster(), None) == Share(config)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(DistributionError, match=r"trainer\.batch_size: 30 .*multiple of 4"):
        divide(TrainerConfig(batch_size=30), Cluster(2, 0), FourReplicas())


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


def test_watchdog_stays_quiet_while_something_happens_and_ends_with_its_block(monkeypatch):
    exits = []
    monkeypatch.setattr(distribution.os, "_exit", exits.append)
    watchdog = Watchdog(30.0)
    with watchdog.watching():
        watchdog.progressed()
    assert not exits
    assert "training-watchdog" not in [thread.name for thread in threading.enumerate()]


def test_watchdog_ends_a_process_that_hangs(monkeypatch, caplog):
    ended = threading.Event()
    codes = []
    monkeypatch.setattr(distribution.logging, "shutdown", lambda: None)
    monkeypatch.setattr(distribution.os, "_exit", lambda code: (codes.append(code), ended.set()))
    with Watchdog(0.01).watching():
        assert ended.wait(30)
    assert codes == [1]
    assert "no training step ended within 0.01 s; another worker hangs" in caplog.text

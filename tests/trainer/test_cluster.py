import json

import pytest

from darkroom.trainer.cluster import ALONE, Cluster, read_cluster
from darkroom.trainer.errors import DistributionError


def cluster(task_type: str, index: int, **counts: int) -> str:
    roles = {role: [f"{role}-{n}:2222" for n in range(count)] for role, count in counts.items()}
    return json.dumps(
        {"cluster": roles, "task": {"type": task_type, "index": index}, "environment": "cloud"}
    )


@pytest.mark.parametrize("text", [None, "", "{}", '{"task": {"type": "worker", "index": 0}}'])
def test_without_a_cluster_one_worker_trains_alone(text):
    assert read_cluster(text) == ALONE == Cluster(1, 0)


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

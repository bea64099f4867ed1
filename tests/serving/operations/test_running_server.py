"""What a running server tells in its metrics."""

import contextlib

import pytest

from darkroom.serving.model_server import StartError
from darkroom.tests.serving.operations.calculator import MODEL
from darkroom.tests.serving.operations.running_servers import (
    METRICS,
    SERVING,
    Caller,
    create_server,
    reload,
    write_config,
)


@pytest.fixture(scope="module")
def metrics(caller):
    return caller.read_metrics()


def test_requests_are_counted_by_model_and_status(metrics):
    assert metrics[f"{SERVING}request_count"] == {
        f'model_name="{MODEL}",status="OK"': 10,
        f'model_name="{MODEL}",status="INVALID_ARGUMENT"': 3,
        'model_name="other",status="NOT_FOUND"': 1,
    }


def test_latency_is_counted_by_method_and_entrypoint_of_requests_that_are_ok(metrics):
    counts = metrics[f"{SERVING}request_latency_count"]
    assert counts == {
        f'model_name="{MODEL}",API="{api}",entrypoint="{entrypoint}"': count
        for api, entrypoint, count in (
            ("predict", "REST", 2),
            ("classify", "REST", 1),
            ("regress", "REST", 1),
            ("", "REST", 2),
            ("Predict", "GRPC", 1),
            ("Classify", "GRPC", 1),
            ("Regress", "GRPC", 1),
            ("MultiInference", "GRPC", 1),
        )
    }
    sums = metrics[f"{SERVING}request_latency_sum"]
    assert all(0 < value < 60e6 for value in sums.values())


def test_runs_of_the_model_are_counted_by_method_and_take_no_longer_than_the_requests(metrics):
    assert metrics[f"{SERVING}runtime_latency_count"] == {
        f'model_name="{MODEL}",API="{api}",runtime="TF1"': count
        for api, count in (("Predict", 3), ("Classify", 2), ("Regress", 2), ("MultiInference", 2))
    }
    runs = metrics[f"{SERVING}runtime_latency_sum"]
    requests = metrics[f"{SERVING}request_latency_sum"]
    answering = sum(
        seconds for labels, seconds in requests.items() if '"predict"' in labels.lower()
    )
    assert 0 < runs[f'model_name="{MODEL}",API="Predict",runtime="TF1"'] < answering


def test_batches_are_counted_with_rows_padding_and_queue(metrics):
    name = f"{SERVING}batching_session:"
    # Each of the 11 runs above waits for its answer, so each is a batch; two of them fail.
    assert metrics[f"{name}input_batch_size_count"] == {"": 11}
    assert metrics[f"{name}input_batch_size_sum"] == {"": 3 + 1 + 1 + 1 + 2 + 1 + 1 + 1 + 1 + 1 + 1}
    assert metrics[f"{name}queuing_latency_count"] == {'thread_pool_name="workers"': 11}
    runs = metrics[f"{name}wrapped_run_count"][""]
    assert metrics[f"{name}processed_batch_size_count"] == {"": runs}
    assert metrics[f"{name}processed_batch_size_sum"] == {"": 4 * runs}
    assert metrics[f"{name}padding_size_count"] == {'execution_batch_size="4"': runs}


def test_loading_and_states_are_shown(metrics, folder):
    path = f'model_path="{folder}/model/1"'
    loads = metrics[":tensorflow:cc:saved_model:load_attempt_count"]
    assert loads[f'{path},status="success"'] == 1
    assert 0 < metrics[":tensorflow:cc:saved_model:load_latency"][path] < 120e6
    states = metrics["darkroom_model_version_state"]
    assert states[f'model_name="{MODEL}",version="1",state="AVAILABLE"'] == 1


def test_requests_in_flight_are_only_the_one_that_asks(metrics):
    assert metrics["darkroom_requests_in_flight"] == {
        'entrypoint="REST"': 1,
        'entrypoint="GRPC"': 0,
    }


def test_process_is_measured(metrics):
    assert metrics["process_resident_memory_bytes"][""] > 50e6
    assert metrics["process_cpu_seconds_total"][""] > 0
    assert metrics["process_open_fds"][""] > 5


def test_reloading_tells_by_how_much_metrics_have_increased(folder):
    with contextlib.ExitStack() as stack:
        caller = Caller(stack.enter_context(create_server(folder)), stack)
        response = reload(caller, write_config(folder, name="another"))
    assert {metric.name: metric.int64_value_increase for metric in response.metric} == {
        "/tensorflow/cc/saved_model/load_attempt_count": 1,
        "/x": 0,
    }


def test_metrics_are_shown_only_where_they_are_enabled(folder, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true path: "/metrics" }')
    for monitoring, status in ((None, 404), (file, 200)):
        with contextlib.ExitStack() as stack:
            server = create_server(folder, monitoring_config_file=monitoring)
            caller = Caller(stack.enter_context(server), stack)
            assert caller.http.get("/metrics").status_code == status
            assert caller.http.get(METRICS).status_code == 404


def test_bad_monitoring_file_is_refused_at_the_start(folder, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus_config { enabled: true }")
    with pytest.raises(StartError, match="monitoring_config_file") as refusal:
        create_server(folder, monitoring_config_file=file).start()
    assert "\n" not in str(refusal.value)

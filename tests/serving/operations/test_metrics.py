"""Names, labels and text of the metrics are those of TensorFlow Serving's exporter."""

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.operations.metrics import (
    LATENCY_BOUNDS,
    MAX_NAME_LENGTH,
    MAX_PATHS,
    MAX_UNKNOWN_NAMES,
    OTHER_NAME,
    QUEUE_BOUNDS,
    SIZE_BOUNDS,
    Metrics,
)

PREFIX = ":tensorflow:serving:"


@pytest.fixture
def metrics():
    return Metrics()


def read(metrics):
    """Returns {(name, labels): value} of all samples, by the names in the text."""
    samples = {}
    for line in metrics.render().decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in samples
            samples[name] = float(value)
    return samples


def test_every_family_can_be_parsed_and_is_there_before_the_first_request(metrics):
    families = {family.name: family for family in parse(metrics)}
    assert families[f"{PREFIX}request_count"].type == "counter"
    for name in (
        "request_latency", "runtime_latency", "model_warmup_latency",
        "batching_session:queuing_latency", "batching_session:processed_batch_size",
        "batching_session:padding_size", "batching_session:input_batch_size",
    ):  # fmt: skip
        assert families[PREFIX + name].type == "histogram"
    for name in ("load_attempt_count", "load_latency"):
        assert families[f":tensorflow:cc:saved_model:{name}"].type == "counter"
    assert families["process_resident_memory_bytes"].samples[0].value > 1e6
    assert families["process_open_fds"].samples[0].value > 2
    assert "python_info" in families


def parse(metrics):
    return list(text_string_to_metric_families(metrics.render().decode()))


def test_names_are_valid_and_no_family_is_declared_twice(metrics):
    names = [family.name for family in parse(metrics)]
    assert len(names) == len(set(names))


def test_request_is_counted_by_model_and_status_as_tensorflow_serving_writes_it(metrics):
    metrics.observe_request("Predict", "GRPC", "digits", Code.OK, 0.002)
    metrics.observe_request("Predict", "REST", "digits", Code.INVALID_ARGUMENT, 0.002)
    text = metrics.render().decode()
    assert "# TYPE :tensorflow:serving:request_count counter\n" in text
    assert '\n:tensorflow:serving:request_count{model_name="digits",status="OK"} 1\n' in text
    assert '{model_name="digits",status="INVALID_ARGUMENT"} 1\n' in text


def test_latency_is_in_microseconds_by_model_method_and_entrypoint_in_cumulative_buckets(metrics):
    for seconds in (0.000_005, 0.000_030, 0.000_030, 4000.0):
        metrics.observe_request("Predict", "GRPC", "digits", Code.OK, seconds)
    samples = read(metrics)
    labels = 'model_name="digits",API="Predict",entrypoint="GRPC"'
    name = f"{PREFIX}request_latency"
    assert samples[f'{name}_bucket{{{labels},le="10"}}'] == 1
    assert samples[f'{name}_bucket{{{labels},le="18"}}'] == 1
    assert samples[f'{name}_bucket{{{labels},le="32.4"}}'] == 3
    assert samples[f'{name}_bucket{{{labels},le="1.47476e+09"}}'] == 3
    assert samples[f'{name}_bucket{{{labels},le="+Inf"}}'] == 4
    assert samples[f"{name}_count{{{labels}}}"] == 4
    assert samples[f"{name}_sum{{{labels}}}"] == pytest.approx(4e9 + 65)


def test_bounds_are_those_of_tensorflow_serving():
    assert len(LATENCY_BOUNDS) == 33
    assert LATENCY_BOUNDS[:3] == pytest.approx([10, 18, 32.4])
    assert LATENCY_BOUNDS[-1] == pytest.approx(10 * 1.8**32)
    assert len(QUEUE_BOUNDS) == 52
    assert QUEUE_BOUNDS[:2] == pytest.approx([100, 120])
    assert SIZE_BOUNDS[0] == 1 and SIZE_BOUNDS[-1] == 8192 and len(SIZE_BOUNDS) == 14


def test_value_equal_to_a_bound_is_below_it(metrics):
    metrics.observe_batch(8, 0, [])
    samples = read(metrics)
    name = f"{PREFIX}batching_session:processed_batch_size_bucket"
    assert samples[f'{name}{{le="4"}}'] == 0
    assert samples[f'{name}{{le="8"}}'] == 1


@pytest.mark.parametrize(
    ("api", "label"),
    [
        ("Predict", "predict"),
        ("Classify", "classify"),
        ("Regress", "regress"),
        ("GetModelStatus", ""),
        ("GetModelMetadata", ""),
        ("", ""),
    ],
)
def test_rest_requests_carry_the_verb_of_their_url(metrics, api, label):
    metrics.observe_request(api, "REST", "digits", Code.OK, 0.001)
    samples = read(metrics)
    labels = f'model_name="digits",API="{label}",entrypoint="REST"'
    assert samples[f"{PREFIX}request_latency_count{{{labels}}}"] == 1


@pytest.mark.parametrize("api", ["GetModelStatus", "GetModelMetadata", "HandleReloadConfigRequest"])
def test_grpc_calls_that_ask_no_model_are_not_counted(metrics, api):
    metrics.observe_request(api, "GRPC", "digits", Code.OK, 0.001)
    assert not any("digits" in name for name in read(metrics))


def test_failed_requests_have_no_latency(metrics):
    metrics.observe_request("Predict", "GRPC", "digits", Code.UNAVAILABLE, 0.001)
    assert not any("request_latency" in name for name in read(metrics))


def test_runtime_is_measured_by_model_and_method(metrics):
    metrics.observe_runtime("digits", "Classify", 0.25)
    labels = 'model_name="digits",API="Classify",runtime="TF1"'
    assert read(metrics)[f"{PREFIX}runtime_latency_sum{{{labels}}}"] == 250_000


def test_batch_is_counted_with_its_tasks(metrics):
    metrics.name_batch_threads("batch_threads")
    metrics.observe_batch(8, 3, [0.001, 0.002], [1, 4])
    samples = read(metrics)
    name = f"{PREFIX}batching_session:"
    assert samples[f"{name}wrapped_run_count{{}}"] == 1
    assert samples[f"{name}processed_batch_size_sum{{}}"] == 8
    assert samples[f"{name}input_batch_size_count{{}}"] == 2
    assert samples[f"{name}input_batch_size_sum{{}}"] == 5
    assert samples[f'{name}padding_size_sum{{execution_batch_size="8"}}'] == 3
    labels = '{thread_pool_name="batch_threads"}'
    assert samples[f"{name}queuing_latency_count{labels}"] == 2
    assert samples[f"{name}queuing_latency_sum{labels}"] == pytest.approx(3000)


def test_loads_are_counted_by_folder_with_the_time_of_those_that_succeeded(metrics):
    metrics.observe_load("digits", "/models/digits/1", 1.5, True)
    metrics.observe_load("digits", "/models/digits/2", 0.5, False)
    samples = read(metrics)
    name = ":tensorflow:cc:saved_model:"
    count = f"{name}load_attempt_count"
    assert samples[f'{count}{{model_path="/models/digits/1",status="success"}}'] == 1
    assert samples[f'{count}{{model_path="/models/digits/2",status="fail"}}'] == 1
    assert samples[f'{name}load_latency{{model_path="/models/digits/1"}}'] == 1_500_000
    assert f'{name}load_latency{{model_path="/models/digits/2"}}' not in samples


def test_warmup_is_counted_by_folder_and_status(metrics):
    metrics.observe_warmup("/models/digits/1", 2.0, 12, Code.OK)
    samples = read(metrics)
    labels = '{model_path="/models/digits/1",status="OK"}'
    assert samples[f"{PREFIX}model_warmup_latency_sum{labels}"] == 2_000_000
    assert samples[f"{PREFIX}model_warmup_records_read{labels}"] == 12


def test_states_and_requests_in_flight_are_read_when_they_are_asked_for(metrics):
    states = [("digits", 7, "LOADING")]
    metrics.watch_states(lambda: states)
    metrics.begin_request("REST")
    metrics.begin_request("REST")
    metrics.end_request("REST")
    labels = '{model_name="digits",version="7",state="%s"}'
    samples = read(metrics)
    assert samples["darkroom_model_version_state" + labels % "LOADING"] == 1
    assert samples['darkroom_requests_in_flight{entrypoint="REST"}'] == 1
    assert samples['darkroom_requests_in_flight{entrypoint="GRPC"}'] == 0
    states[:] = [("digits", 7, "AVAILABLE")]
    samples = read(metrics)
    assert samples["darkroom_model_version_state" + labels % "AVAILABLE"] == 1
    assert "darkroom_model_version_state" + labels % "LOADING" not in samples


def test_label_values_cannot_forge_lines_or_labels(metrics):
    hostile = 'a"} 1\nforged{x="\\'
    metrics.observe_request("Predict", "GRPC", hostile, Code.OK, 0.001)
    families = {family.name: family for family in parse(metrics)}
    assert "forged" not in families
    (sample,) = families[f"{PREFIX}request_count"].samples
    assert sample.labels == {"model_name": hostile, "status": "OK"}


def test_text_that_is_no_unicode_does_not_break_the_page(metrics):
    metrics.observe_request("Predict", "GRPC", "\ud800", Code.OK, 0.001)
    assert parse(metrics)


def test_made_up_model_names_are_counted_together_beyond_a_limit(metrics):
    metrics.observe_load("digits", "/models/digits/1", 1.0, True)
    for number in range(MAX_UNKNOWN_NAMES + 50):
        metrics.observe_request("Predict", "GRPC", f"made-up-{number}", Code.NOT_FOUND, 0.001)
    metrics.observe_request("Predict", "GRPC", "x" * (MAX_NAME_LENGTH + 1), Code.NOT_FOUND, 0.001)
    metrics.observe_request("Predict", "GRPC", "digits", Code.OK, 0.001)
    counts = {name: value for name, value in read(metrics).items() if "request_count" in name}
    assert len(counts) == MAX_UNKNOWN_NAMES + 2
    assert counts[f'{PREFIX}request_count{{model_name="{OTHER_NAME}",status="NOT_FOUND"}}'] == 51
    assert counts[f'{PREFIX}request_count{{model_name="digits",status="OK"}}'] == 1


def test_only_the_latest_folders_are_kept(metrics):
    for version in range(MAX_PATHS + 10):
        metrics.observe_load("digits", f"/models/digits/{version}", 1.0, True)
        metrics.observe_warmup(f"/models/digits/{version}", 1.0, 1, Code.OK)
    samples = read(metrics)
    kept = [name for name in samples if "load_attempt_count" in name]
    assert len(kept) == MAX_PATHS
    assert not any('model_path="/models/digits/9"' in name for name in samples)
    assert len([name for name in samples if "warmup_latency_count" in name]) == MAX_PATHS


def test_counters_can_be_read_by_their_names_in_tensorflow(metrics):
    metrics.observe_request("Predict", "GRPC", "a", Code.OK, 0.001)
    metrics.observe_request("Predict", "GRPC", "b", Code.NOT_FOUND, 0.001)
    assert metrics.read_count("/tensorflow/serving/request_count") == 2
    assert metrics.read_count("/tensorflow/serving/request_latency") == 0
    assert metrics.read_count("no such counter") == 0


def test_nothing_is_lost_when_many_threads_observe_while_others_read(metrics):
    def observe():
        for _ in range(2000):
            metrics.observe_request("Predict", "GRPC", "digits", Code.OK, 0.001)
            metrics.observe_batch(4, 1, [0.001])

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        metrics.render()
    samples = read(metrics)
    assert samples[f'{PREFIX}request_count{{model_name="digits",status="OK"}}'] == 8000
    assert samples[f"{PREFIX}batching_session:wrapped_run_count{{}}"] == 8000

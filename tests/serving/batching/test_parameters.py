"""Files of BatchingParameters: TensorFlow Serving's names, defaults and rules."""

import pytest

from darkroom.serving.model_server.batching.parameters import (
    VERSION_FILE,
    BatchingParameters,
    count_cpus,
    read_batching_parameters,
    read_version_parameters,
)
from darkroom.serving.model_server.errors import InvalidArgument, StartError


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "batching.txt"
        path.write_text(text)
        return path

    return write


def test_defaults_are_those_of_tensorflow_serving(write):
    parameters = read_batching_parameters(write(""))
    assert parameters.model_dump() == {
        "max_batch_size": 1000,
        "batch_timeout_micros": 0,
        "max_enqueued_batches": 10,
        "num_batch_threads": count_cpus(),
        "thread_pool_name": "batch_threads",
        "allowed_batch_sizes": (),
        "enable_large_batch_splitting": False,
        "max_execution_batch_size": None,
        "pad_variable_length_inputs": False,
    }
    assert parameters.execution_limit == 1000


def test_all_fields_are_read(write):
    text = """
        max_batch_size { value: 64 }
        batch_timeout_micros { value: 1500 }
        max_enqueued_batches { value: 7 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "pool" }
        allowed_batch_sizes: 16
        allowed_batch_sizes: 64
        enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 16 }
        pad_variable_length_inputs: true
    """
    parameters = read_batching_parameters(write(text))
    assert parameters == BatchingParameters(
        max_batch_size=64,
        batch_timeout_micros=1500,
        max_enqueued_batches=7,
        num_batch_threads=3,
        thread_pool_name="pool",
        allowed_batch_sizes=(16, 64),
        enable_large_batch_splitting=True,
        max_execution_batch_size=16,
        pad_variable_length_inputs=True,
    )
    assert parameters.execution_limit == 16
    assert parameters.timeout_seconds == 0.0015


def test_execution_size_counts_only_with_splitting(write):
    text = "max_batch_size { value: 64 } max_execution_batch_size { value: 16 }"
    assert read_batching_parameters(write(text)).execution_limit == 64


def test_empty_wrapper_is_a_value_of_zero(write):
    # So in protobuf: a wrapper that is there holds its default.
    assert read_batching_parameters(write("max_enqueued_batches {}")).max_enqueued_batches == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max_batch_size { value: 0 }", "max_batch_size=0: input should be greater than or eq"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros=-1: input should be great"),
        ("max_enqueued_batches { value: -1 }", "max_enqueued_batches=-1: input should be great"),
        ("num_batch_threads { value: 0 }", "num_batch_threads=0: input should be greater than"),
        ("num_batch_threads { value: 99999 }", "num_batch_threads=99999: input should be less"),
        ("max_execution_batch_size {}", "max_execution_batch_size=0: input should be greater"),
        (
            "allowed_batch_sizes: 8 allowed_batch_sizes: 4",
            "allowed_batch_sizes=[8, 4]: give positive sizes, each larger than the last",
        ),
        ("allowed_batch_sizes: 0", "allowed_batch_sizes=[0]: give positive sizes"),
        (
            "allowed_batch_sizes: 4 max_batch_size { value: 8 }",
            "allowed_batch_sizes=[4]: the last entry must be max_batch_size, which is 8; add that "
            "size, or set max_batch_size to 4",
        ),
        (
            "enable_large_batch_splitting { value: true } max_execution_batch_size { value: 2000 }",
            "max_execution_batch_size=2000: must not be larger than max_batch_size, which is 1000",
        ),
        (
            "enable_large_batch_splitting { value: true } max_enqueued_batches {}",
            "max_enqueued_batches=0: no request could be split; use 1 or more",
        ),
        ("max_batch_size: 8", "parsing text-format tensorflow.serving.BatchingParameters: 1:"),
        ("max_bach_size { value: 8 }", "max_bach_size"),
    ],
)
def test_refusal_is_one_line_with_file_field_and_remedy(write, text, problem):
    path = write(text)
    with pytest.raises(StartError) as refused:
        read_batching_parameters(path)
    message = str(refused.value)
    assert str(path) in message
    assert problem in message
    assert "\n" not in message


def test_missing_file_is_named(tmp_path):
    with pytest.raises(StartError, match=r"cannot read .*none.txt: No such file"):
        read_batching_parameters(tmp_path / "none.txt")


def test_version_without_parameters_has_none(tmp_path):
    assert read_version_parameters(tmp_path) is None


def test_version_with_parameters(tmp_path):
    (tmp_path / VERSION_FILE).write_text("max_batch_size { value: 5 }")
    parameters = read_version_parameters(tmp_path)
    assert parameters is not None
    assert parameters.max_batch_size == 5


def test_version_with_bad_parameters_fails_to_load_as_an_invalid_argument(tmp_path):
    (tmp_path / VERSION_FILE).write_text("max_batch_size {}")
    with pytest.raises(InvalidArgument, match=r"batching_params.pbtxt: max_batch_size=0"):
        read_version_parameters(tmp_path)

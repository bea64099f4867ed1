"""Arrays of several requests to the arrays of one batch, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.serving.model_server.batching.merging import (
    UnbatchableModel,
    choose_size,
    count_rows,
    cut,
    describe_kind,
    join,
    merge,
    split,
)
from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    StatusError,
)

ZEROS = np.zeros


def strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_rows_of_inputs():
    assert count_rows({"a": ZEROS((3, 2)), "b": ZEROS(3)}) == 3
    assert count_rows({"a": ZEROS((0, 2))}) == 0


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        ({"a": ZEROS(())}, "Batching Run() input tensors must have at least one dimension"),
        (
            {"a": ZEROS(2), "b": ZEROS(3)},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ],
)
def test_inputs_without_common_rows_are_refused_in_tensorflow_servings_words(inputs, message):
    with pytest.raises(InvalidArgument) as refused:
        count_rows(inputs)
    assert refused.value.message == message


def test_kind_leaves_out_the_rows_and_the_order_of_names():
    first = {"a": ZEROS((3, 2)), "b": ZEROS(3)}
    second = {"b": ZEROS(1), "a": ZEROS((1, 2))}
    assert describe_kind(first, pad=False) == describe_kind(second, pad=False)


@pytest.mark.parametrize(
    ("first", "second", "with_padding"),
    [
        (ZEROS((1, 2)), ZEROS((1, 3)), True),
        (ZEROS((1, 2)), ZEROS((1, 2), np.float32), False),
        (ZEROS((1, 2)), ZEROS((1, 2, 1)), False),
        (ZEROS((1, 2)), ZEROS((1, 0)), False),
    ],
)
def test_kinds_that_differ(first, second, with_padding):
    def same(pad):
        return describe_kind({"a": first}, pad) == describe_kind({"a": second}, pad)

    assert not same(pad=False)
    assert same(pad=True) == with_padding


@pytest.mark.parametrize(
    ("rows", "allowed", "size"),
    [(3, (), 3), (3, (2, 4, 8), 4), (4, (2, 4, 8), 4), (9, (2, 4, 8), 9), (0, (2, 4, 8), 0)],
)
def test_size_is_the_next_one_allowed(rows, allowed, size):
    assert choose_size(rows, allowed) == size


def test_lone_request_is_not_copied():
    inputs = {"a": ZEROS((2, 3))}
    assert merge([inputs], 2, 2) is inputs
    (answer,) = split(inputs, [2], 2)
    assert np.shares_memory(answer["a"], inputs["a"])


def test_batch_is_filled_up_with_its_first_row():
    merged = merge([{"a": np.array([[1, 2]])}, {"a": np.array([[3, 4]])}], 2, 4)["a"]
    assert merged.tolist() == [[1, 2], [3, 4], [1, 2], [1, 2]]
    assert merge([{"a": strings(b"x", b"y")}], 2, 3)["a"].tolist() == [b"x", b"y", b"x"]


def test_shorter_inputs_are_filled_up_with_their_own_first_element():
    merged = merge([{"a": np.array([[1, 2, 3]])}, {"a": np.array([[7], [8]])}], 3, 3)["a"]
    assert merged.tolist() == [[1, 2, 3], [7, 7, 7], [8, 7, 7]]
    first = strings(b"a", b"b").reshape(1, 2)
    second = strings(b"c").reshape(1, 1)
    assert merge([{"a": first}, {"a": second}], 2, 2)["a"].tolist() == [[b"a", b"b"], [b"c", b"c"]]


def test_inputs_of_several_lengths_in_several_dimensions():
    merged = merge([{"a": np.ones((1, 2, 1))}, {"a": np.full((1, 1, 3), 5.0)}], 2, 2)["a"]
    assert merged[0].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert merged[1].tolist() == [[5, 5, 5], [5, 5, 5]]


def test_request_without_rows_among_others():
    merged = merge([{"a": ZEROS((0, 3))}, {"a": np.array([[4.0, 5.0]])}], 1, 2)["a"]
    assert merged.tolist() == [[4, 5, 4], [4, 5, 4]]
    empty, full = split({"y": merged}, [0, 1], 2)
    assert empty["y"].shape == (0, 3)
    assert full["y"].tolist() == [[4, 5, 4]]


def test_output_without_rows_is_refused():
    with pytest.raises(UnbatchableModel, match="Batched output tensor has 0 dimensions"):
        split({"y": np.float32(3)}, [1], 1)


def test_output_of_other_rows_is_refused():
    message = (
        "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes "
        "of the input tensors"
    )
    with pytest.raises(FailedPrecondition) as refused:
        split({"y": ZEROS(3)}, [1, 1], 2)
    assert refused.value.message == message


def test_answers_of_parts_that_do_not_fit_together():
    with pytest.raises(StatusError, match="concat") as refused:
        join([{"y": ZEROS((1, 2))}, {"y": ZEROS((1, 3))}])
    assert refused.value.code is Code.INTERNAL


def test_parts_are_views():
    inputs = {"a": np.arange(6)}
    parts = cut(inputs, [1, 4, 1])
    assert [part["a"].tolist() for part in parts] == [[0], [1, 2, 3, 4], [5]]
    assert all(np.shares_memory(part["a"], inputs["a"]) for part in parts)
    assert join(parts)["a"].tolist() == inputs["a"].tolist()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(0, 7))
def test_split_undoes_merge(sizes, padding):
    start, requests = 0, []
    for size in sizes:
        values = np.arange(start, start + size)
        requests.append({"a": values, "b": np.stack([values, -values], axis=1)})
        start += size
    size = start + padding if start else 0
    merged = merge(requests, start, size)
    assert {len(array) for array in merged.values()} == {size}
    for request, answer in zip(requests, split(merged, sizes, size), strict=True):
        assert answer.keys() == request.keys()
        for name in request:
            np.testing.assert_array_equal(answer[name], request[name])

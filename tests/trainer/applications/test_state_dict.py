import pickle

import numpy as np
import pytest

from darkroom.tests.trainer.applications.torch_writer import (
    MACHINE,
    MAGIC,
    Call,
    Named,
    Storage,
    save,
    tensor,
    to_bytes,
    to_file,
)
from darkroom.trainer.applications.state_dict import read_state_dict
from darkroom.trainer.errors import WeightsError

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "bn.num_batches_tracked": np.array(7, dtype=np.int64),
}
FLOATS = Storage(Named("torch", "FloatStorage"), "0")
SIX = {"0": np.arange(6, dtype=np.float32)}


def refuse(content: bytes) -> str:
    with pytest.raises(WeightsError) as error:
        read_state_dict(content, "weights.pth")
    message = str(error.value)
    assert message.startswith("trainer.weights: 'weights.pth' is no state dict")
    assert "\n" not in message
    return message


def test_tensors_come_back_by_name():
    read = read_state_dict(save(ARRAYS), "weights.pth")
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_offset_and_strides_count_elements():
    content = to_file({"w": tensor(FLOATS, 1, (2, 2), (1, 3))}, SIX)
    np.testing.assert_array_equal(read_state_dict(content, "")["w"], [[1, 4], [2, 5]])


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (7,), (1,)), (5, (2,), (1,)), (0, (2, 2), (5, 1)), (0, (2,), (-1,)), (-1, (1,), (1,))],
)
def test_a_tensor_that_leaves_its_storage_is_refused(offset, shape, strides):
    refuse(to_file({"w": tensor(FLOATS, offset, shape, strides)}, SIX))


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    ("module", "name", "argument"),
    [("os", "system", "touch {}"), ("builtins", "eval", "open('{}', 'w')")],
)
def test_a_pickle_that_calls_anything_is_refused_uncalled(tmp_path, module, name, argument, place):
    mark = tmp_path / "called"
    call = Call(Named(module, name), argument.format(mark))
    pickle.loads(to_bytes(call))
    assert mark.exists()
    mark.unlink()
    values = [MAGIC, 1001, MACHINE, {}, []]
    values[place] = call
    assert f"it names {module}.{name}," in refuse(to_bytes(*values))
    assert not mark.exists()


def test_what_takes_the_place_of_a_tensors_maker_is_refused():
    content = save(ARRAYS).replace(b"torch._utils\n_rebuild_tensor_v2", b"posix\nsystem")
    assert "it names posix.system," in refuse(content)


@pytest.mark.parametrize("kind", ["O", Named("torch", "DoubleStorage"), "<f4", []])
def test_other_elements_are_refused(kind):
    refuse(to_file({"w": tensor(Storage(kind, "0"), 0, (1,), (1,))}, SIX))


def test_a_file_that_is_cut_off_anywhere_is_refused():
    content = save(ARRAYS)
    for length in range(len(content)):
        refuse(content[:length])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "("),
        (b"PK\x03\x04 as newer ones begin", "("),
        (to_bytes(MAGIC, 1002, MACHINE, {}, []), "it begins otherwise"),
        (to_bytes(MAGIC, 1001, {"little_endian": False}, {}, []), "big-endian"),
        (to_bytes(MAGIC, 1001, MACHINE, ["w"], []), "("),
        (to_bytes(MAGIC, 1001, MACHINE, {"w": 1}, []), "("),
        (to_bytes(MAGIC, 1001, MACHINE, {1: 1}, []), "("),
        (to_bytes(MAGIC, 1001, MACHINE, {}, ["0"]), "("),
        (to_file({"w": tensor(FLOATS, 0, (1,), (1,))}, {}), "("),
    ],
)
def test_another_form_is_refused(content, words):
    assert words in refuse(content)

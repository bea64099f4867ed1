import base64
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.components.run_report.confusion import LARGEST_TABLE, most_confused, view_confusion
from darkroom.records.evaluation import ConfusionMatrix
from darkroom.tests.components.run_report.pages import confusion_of


def matrix(*counts: tuple[int, ...]) -> ConfusionMatrix:
    return ConfusionMatrix(tuple("abcdefg"[: len(counts)]), counts)


def decode(uri: str) -> np.ndarray:
    header, text = uri.split(",")
    assert header == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_a_small_matrix_is_a_table():
    view = view_confusion(matrix((9, 1, 0), (0, 5, 5), (0, 0, 0)))
    assert view.picture == ""
    assert (view.right, view.total) == (14, 20)
    assert [row.recall for row in view.rows] == [0.9, 0.5, None]
    assert [cell.strength for cell in view.rows[0].cells] == [90, 10, 0]
    assert [cell.right for cell in view.rows[1].cells] == [False, True, False]


def test_pairs_come_by_count_and_then_by_share():
    pairs = most_confused(matrix((0, 2, 1), (2, 8, 0), (0, 1, 9)), limit=3)
    assert [(pair.label, pair.predicted, pair.count) for pair in pairs] == [
        ("a", "b", 2),
        ("b", "a", 2),
        ("a", "c", 1),
    ]
    assert pairs[0].share == 2 / 3


def test_a_large_matrix_is_a_picture_with_a_pixel_a_cell():
    size = LARGEST_TABLE + 1
    counts = np.zeros((size, size), int)
    np.fill_diagonal(counts, 1000)
    counts[3, 7] = 1
    counts[5] = 0
    names = tuple(map(str, range(size)))
    view = view_confusion(ConfusionMatrix(names, tuple(tuple(map(int, r)) for r in counts)))
    pixels = decode(view.picture)
    assert pixels.shape == (size, size, 4)
    assert (pixels[..., 3] > 0).tolist() == (counts > 0).tolist()
    red, green, _, _ = pixels[3, 7].astype(int)
    assert red > green
    red, green, _, _ = pixels[3, 3].astype(int)
    assert green > red
    assert view.rows == ()
    assert view.weakest[0].name == "3"
    assert "5" not in {row.name for row in view.weakest}


@given(st.integers(1, 40), st.integers(0, 99))
def test_right_and_wrong_answers_add_up(classes, seed):
    confusion = confusion_of(tuple(map(str, range(classes))), each=200, seed=seed)
    view = view_confusion(confusion)
    wrong = sum(pair.count for pair in most_confused(confusion, classes**2))
    assert view.total == 200 * classes
    assert view.right + wrong == view.total

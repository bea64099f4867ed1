"""What people call their splits."""

import re
from collections.abc import Iterable
from typing import Final

from darkroom.components.image_example_gen.split import EVAL, TEST, TRAIN

_WORDS: Final = {
    "train": TRAIN, "training": TRAIN, "trainset": TRAIN,
    "val": EVAL, "valid": EVAL, "validation": EVAL, "dev": EVAL, "eval": EVAL,
    "evaluation": EVAL, "valset": EVAL,
    "test": TEST, "testing": TEST, "testset": TEST,
}  # fmt: skip
_FILLERS: Final = frozenset(("set", "data", "dataset", "split", "images", "image", "img", "imgs"))
SPLIT_COLUMNS: Final = ("split", "set", "subset", "partition", "phase", "usage")
"""What people call the column of a table that says the split, in lower case."""
KNOWN_NAMES: Final = "train; val, valid, validation, dev or eval; test"


def parse_split(name: str) -> str:
    """The split that a name such as `Train`, `val2017` or `test_set` means; empty: none."""
    split, rest = _read(name)
    return split if rest <= _FILLERS else ""


def parse_splits(names: Iterable[str]) -> dict[str, str]:
    """The names that mean splits; `seg_train` beside `seg_test` do, but not on its own."""
    read = {name: _read(name) for name in names}
    rests = {rest - _FILLERS for _, rest in read.values()}
    alike = len(rests) == 1 and len(read) > 1
    return {
        name: split for name, (split, rest) in read.items() if split and (alike or rest <= _FILLERS)
    }


def _read(name: str) -> tuple[str, frozenset[str]]:
    """The split in a name, and its other words."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    found = [word for word in words if word in _WORDS]
    if len(found) != 1:
        return "", frozenset(words)
    return _WORDS[found[0]], frozenset(words) - {found[0]}

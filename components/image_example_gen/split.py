"""Places a row in the train or the eval split, by a hash and nothing else."""

import hashlib
from typing import Final

TRAIN: Final = "train"
EVAL: Final = "eval"
SPLITS: Final = (TRAIN, EVAL)


def choose_split(group: str, content_digest: bytes, eval_fraction: float, salt: str) -> str:
    """The split of a row.

    Rows of the same group, or without a group of the same image, get the same answer, whatever
    other rows there are.

    Args:
        group: Value of the group column; empty: the content decides.
        content_digest: SHA-256 of the image's bytes.
        eval_fraction: Share of keys that go to eval, between 0 and 1.
        salt: Changing it draws another split.
    """
    key = b"group:" + group.encode() if group else b"image:" + content_digest
    digest = hashlib.sha256(salt.encode() + b"\0" + key).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    return EVAL if position < eval_fraction else TRAIN

"""Labels as people write them: what is empty, what may be meant as one, what are several."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

_SEPARATORS: Final = "|;"


def normalize_label(text: str) -> str:
    """Without outer white space, and in Unicode's composed form (macOS decomposes file names)."""
    return unicodedata.normalize("NFC", text.strip())


def find_alike(labels: Iterable[str]) -> list[list[str]]:
    """Labels that are probably one class: `Cat` and `cat`, `0` and `0.0`, `a b` and `a_b`."""
    alike = defaultdict(list)
    for label in sorted(labels):
        alike[_reduce(label)].append(label)
    return [group for group in alike.values() if len(group) > 1]


def find_several(labels: Collection[str]) -> str:
    """A label that is several in one, such as `cat|dog`; empty where none is.

    A separator alone proves nothing: a part has to be met elsewhere too, and with commas, which
    names have, each part has to be a label of its own.
    """
    parts: dict[str, int] = defaultdict(int)
    for label in labels:
        for part in _split(label):
            parts[part] += 1
    for label in sorted(labels):
        if len(found := _split(label)) > 1 and any(parts[part] > 1 for part in found):
            return label
        if "," in label and all(part.strip() in labels for part in label.split(",")):
            return label
    return ""


def _split(label: str) -> list[str]:
    for separator in _SEPARATORS:
        if separator in label:
            return [part.strip() for part in label.split(separator) if part.strip()]
    return [label]


def _reduce(label: str) -> str:
    try:
        return str(float(label))
    except ValueError:
        return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())

"""What somebody meant who wrote a name that is not there."""

import difflib
from collections.abc import Iterable


def find_nearest(name: str, known: Iterable[str]) -> str:
    """Returns the known name that is most like it; empty where none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Words for the end of a refusal: the nearest names, or all where none is near.

    >>> did_you_mean("trianer", ["trainer", "data"])
    "did you mean 'trainer'?"
    >>> did_you_mean("x", ["trainer", "data"])
    'use one of trainer, data'
    """
    names = list(known)
    near = find_nearest(name, names)
    return f"did you mean {near!r}?" if near else f"use one of {', '.join(names)}"

"""From a data set to how its rows are split."""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import DataSet
from darkroom.components.image_example_gen.errors import list_some
from darkroom.components.image_example_gen.sources.source import Row
from darkroom.components.image_example_gen.split import (
    EVAL,
    SPLITS,
    TEST,
    TRAIN,
    Member,
    SplitPlan,
    plan_splits,
)
from darkroom.transform.rejection import RejectedError

PROGRESS: Final = logging.getLogger("darkroom.progress")
_CHUNK: Final = 1024


def plan_data(data: DataSet) -> tuple[SplitPlan, list[str]]:
    """Decides how the rows are split, and says which classes are in too few splits.

    Args:
        data: Its place is of this machine.

    Returns:
        The plan, and the splits that there will be.

    Raises:
        DataLocationError: The data cannot be listed.
    """
    given, grouped = set(), False
    for row in data.list_rows():
        if not row.skipped:
            given.add(row.split)
            grouped = grouped or bool(row.group)
    fractions = drawn_fractions(data.config, given)
    splits = [split for split in SPLITS if split == TRAIN or split in {*given, *fractions}]
    if not fractions:
        return SplitPlan(), splits
    plan, missing = plan_splits(_list_members(data), fractions, data.config.split_salt, grouped)
    if missing:
        PROGRESS.warning(
            "too few different images or groups to be in each split: %s; add some",
            list_some(map(repr, missing)),
        )
    return plan, splits


def drawn_fractions(config: DataConfig, given: set[str]) -> dict[str, float]:
    """Share by split of those that are drawn, but for train.

    Args:
        config: The recipe's `data` section.
        given: Splits that rows have; empty for a row without.
    """
    wanted = {EVAL: config.eval_fraction, TEST: config.test_fraction}
    return {split: share for split, share in wanted.items() if share and split not in given}


def _list_members(data: DataSet) -> Iterator[Member]:
    """Of the rows whose split is drawn; what cannot be read is left to the ingest."""

    def read(row: Row) -> Member | None:
        try:
            return Member(row.label, row.group, data.source.digest_image(row))
        except RejectedError:
            return None

    rows = (
        row
        for row in data.list_rows()
        if row.label and not (row.problem or row.skipped) and row.split in ("", TRAIN)
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while chunk := list(islice(rows, _CHUNK)):
            yield from filter(None, pool.map(read, chunk))

"""The files of the quarantine artifact: writer and reader."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from darkroom.components.image_example_gen.split import EVAL, SPLITS, TRAIN
from darkroom.transform.rejection import Reason

ROWS_FILE: Final = "quarantine.jsonl"
SUMMARY_FILE: Final = "summary.json"

DUPLICATES: Final = "duplicates"
CONFLICTING_LABELS: Final = "conflicting_labels"
SKIPPED: Final = "skipped"


class RejectedRow(BaseModel):
    """One line of quarantine.jsonl."""

    model_config = ConfigDict(frozen=True)

    row: int
    image_path: str
    label: str
    reason: str
    detail: str


class IngestSummary(BaseModel):
    """summary.json: what became of the rows; `rows == examples + quarantined + skipped`.

    Args:
        rows: Rows of the input.
        examples: Rows that became examples.
        quarantined: Rows that did not.
        skipped: Rows that the recipe does not want.
        splits: Examples by split.
        reasons: Quarantined rows by reason, none with 0.
        classes: By label, how many rows have become what: a split or a reason.
        duplicates: Examples whose very bytes an earlier example has.
        conflicting_labels: Images that occur with more than one label; all stay examples.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    examples: int
    quarantined: int
    skipped: int
    splits: dict[str, int]
    reasons: dict[str, int]
    classes: dict[str, dict[str, int]]
    duplicates: int
    conflicting_labels: int


def summarize(counts: Mapping[tuple[str, str], int]) -> IngestSummary:
    """The summary from counts.

    Args:
        counts: By label and by what became of a row: a split or a reason; and without a label by
            SKIPPED, DUPLICATES and CONFLICTING_LABELS.
    """
    total: Counter[str] = Counter()
    classes: dict[str, dict[str, int]] = defaultdict(dict)
    for (label, outcome), count in sorted(counts.items()):
        total[outcome] += count
        if label:
            classes[label][outcome] = count
    splits = {split: total[split] for split in SPLITS if split in total or split in (TRAIN, EVAL)}
    reasons = {reason.value: total[reason] for reason in Reason if total[reason]}
    examples, quarantined = sum(splits.values()), sum(reasons.values())
    return IngestSummary(
        rows=examples + quarantined + total[SKIPPED],
        examples=examples,
        quarantined=quarantined,
        skipped=total[SKIPPED],
        splits=splits,
        reasons=reasons,
        classes=classes,
        duplicates=total[DUPLICATES],
        conflicting_labels=total[CONFLICTING_LABELS],
    )


def write_rows(uri: str, rows: Iterable[RejectedRow]) -> None:
    """Writes quarantine.jsonl, in the order of the rows."""
    # json, unlike pydantic, can write the file names that are not UTF-8: as escapes.
    ordered = sorted(rows, key=lambda row: row.row)
    text = "".join(json.dumps(row.model_dump()) + "\n" for row in ordered)
    _write_text(os.path.join(uri, ROWS_FILE), text)


def write_summary(uri: str, summary: IngestSummary) -> None:
    """Writes summary.json."""
    _write_text(os.path.join(uri, SUMMARY_FILE), summary.model_dump_json(indent=2) + "\n")


def read_rows(uri: str) -> list[RejectedRow]:
    """Reads quarantine.jsonl."""
    with _open(os.path.join(uri, ROWS_FILE)) as file:
        return [RejectedRow(**json.loads(line)) for line in file.read().splitlines()]


def read_summary(uri: str) -> IngestSummary:
    """Reads summary.json."""
    with _open(os.path.join(uri, SUMMARY_FILE)) as file:
        return IngestSummary.model_validate_json(file.read())


def _write_text(path: str, text: str) -> None:
    with _open(path, "w") as file:
        file.write(text)


def _open(path: str, mode: str = "r") -> Any:
    # Slow to import, and not needed by those who only summarize.
    from tfx.dsl.io import fileio

    return fileio.open(path, mode)

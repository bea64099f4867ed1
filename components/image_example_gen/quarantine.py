"""The files of the quarantine artifact: writer and reader."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from darkroom.components.image_example_gen.split import SPLITS
from darkroom.transform.rejection import Reason

ROWS_FILE: Final = "quarantine.jsonl"
SUMMARY_FILE: Final = "summary.json"

DUPLICATES: Final = "duplicates"
CONFLICTING_LABELS: Final = "conflicting_labels"


class RejectedRow(BaseModel):
    """One line of quarantine.jsonl."""

    model_config = ConfigDict(frozen=True)

    row: int
    image_path: str
    label: str
    reason: str
    detail: str


class IngestSummary(BaseModel):
    """summary.json: what became of the rows; `rows == examples + quarantined`.

    Args:
        rows: Rows of the input.
        examples: Rows that became examples.
        quarantined: Rows that did not.
        splits: Examples by split.
        reasons: Quarantined rows by reason, none with 0.
        duplicates: Examples whose very bytes an earlier example has.
        conflicting_labels: Images that occur with more than one label; all stay examples.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    examples: int
    quarantined: int
    splits: dict[str, int]
    reasons: dict[str, int]
    duplicates: int
    conflicting_labels: int


def summarize(counts: Mapping[str, int]) -> IngestSummary:
    """The summary from counts by split, reason, DUPLICATES and CONFLICTING_LABELS."""
    splits = {split: counts.get(split, 0) for split in SPLITS}
    reasons = {reason.value: counts[reason] for reason in Reason if counts.get(reason)}
    examples, quarantined = sum(splits.values()), sum(reasons.values())
    return IngestSummary(
        rows=examples + quarantined,
        examples=examples,
        quarantined=quarantined,
        splits=splits,
        reasons=reasons,
        duplicates=counts.get(DUPLICATES, 0),
        conflicting_labels=counts.get(CONFLICTING_LABELS, 0),
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

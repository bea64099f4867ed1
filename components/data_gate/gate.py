"""The decisions of DataGate, on plain values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from darkroom.components.errors import ComponentError
from darkroom.components.image_example_gen.quarantine import ROWS_FILE, IngestSummary

if TYPE_CHECKING:
    from darkroom.components.data_gate.anomalies import Anomaly


class DataGateError(ComponentError):
    """The data are not fit to train on."""


def check_quarantine(summary: IngestSummary, max_quarantined: float, uri: str = "") -> None:
    """Refuses too many unusable rows.

    Args:
        max_quarantined: Largest share of unusable rows that passes, 0 to 1.
        uri: Of the quarantine, for the message; empty before there is one.

    Raises:
        DataGateError: The share is larger.
    """
    if summary.quarantined <= max_quarantined * summary.rows:
        return
    share = summary.quarantined / summary.rows
    where = f"see {uri}/{ROWS_FILE}" if uri else "mend or remove them"
    reasons = sorted(summary.reasons.items(), key=lambda item: -item[1])
    raise DataGateError(
        f"data.max_quarantined: {summary.quarantined} of {summary.rows} rows ({share:.1%}) are "
        f"unusable, more than {max_quarantined:.1%}: "
        f"{', '.join(f'{reason} {count}' for reason, count in reasons)}; "
        f"{where}, or raise data.max_quarantined"
    )


def check_classes(summary: IngestSummary) -> None:
    """Refuses a class that has rows and no example: it would vanish from the model.

    Raises:
        DataGateError: There is one.
    """
    splits = summary.splits.keys()
    lost = {label: each for label, each in summary.classes.items() if not splits & each.keys()}
    for label, reasons in lost.items():
        said = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
        more = f" (and of {len(lost) - 1} more classes)" if len(lost) > 1 else ""
        raise DataGateError(
            f"data.path: not one of the {sum(reasons.values())} images of class {label!r}{more} "
            f"can be used: {said}; convert them, or leave the class out by data.exclude"
        )


def check_splits(summary: IngestSummary) -> None:
    """Raises DataGateError where a split has no examples."""
    for split, count in summary.splits.items():
        if count == 0:
            raise DataGateError(
                f"data.eval_fraction: the {split} split is empty, all {summary.examples} examples "
                "went elsewhere; add images, or change data.eval_fraction or data.split_salt"
            )


def check_anomalies(fatal: "Sequence[Anomaly]", uri: str) -> None:
    """Refuses fatal anomalies.

    Args:
        uri: Of the anomalies, for the message.

    Raises:
        DataGateError: There is one; the message describes the first.
    """
    if not fatal:
        return
    first = fatal[0]
    where = f"feature {first.feature!r}" if first.feature else "the data set"
    more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
    raise DataGateError(
        f"validation.fatal: {first.kind} in {where} of split {first.split!r}: "
        f"{first.description.rstrip('.')}{more}; see {uri}, correct the data or the schema, or "
        f"take {first.kind} out of validation.fatal"
    )

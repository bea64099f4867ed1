"""The model card: what is known of a model, and what is not.

Its parts are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019, as far as a
run knows them.
"""

from collections.abc import Iterator
from typing import Final

from darkroom.components.run_report.data import CardPart, ReportData
from darkroom.components.run_report.intervals import COUNTED, find_interval
from darkroom.components.run_report.wording import (
    explain_verdict,
    format_count,
    format_interval,
    format_metric,
    format_share,
    name_slice,
)
from darkroom.records.evaluation import EXAMPLE_COUNT, Evaluation, Slice

FEW: Final = 20
"""A share of fewer images is uncertain by 20 percentage points and more."""
_NAMED: Final = 10


def make_card(data: ReportData) -> tuple[CardPart, ...]:
    """The parts of the card; none where no model was judged."""
    if not data.evaluation or data.verdict.state == "failed":
        return ()
    return (
        _describe_model(data),
        CardPart(
            "Intended use",
            ("The recipe does not say; whoever publishes the model writes it here.",),
        ),
        _describe_data(data),
        _describe_metrics(data.evaluation),
        _describe_slices(data.evaluation),
        CardPart("Limits", tuple(_list_limits(data, data.evaluation))),
        _describe_weights(data),
    )


def _describe_model(data: ReportData) -> CardPart:
    trainer, transform = (data.request.recipe.get(name, {}) for name in ("trainer", "transform"))
    sentences = [
        "Classifies images: one of its classes for each, with a probability.",
        explain_verdict(data.verdict),
    ]
    rows = [
        ("pipeline", data.request.pipeline),
        ("run", data.run_id),
        ("classes", str(len(_classes(data.evaluation)))),
        ("backbone", str(trainer.get("backbone", ""))),
        ("head", str(trainer.get("head", ""))),
        ("image size", f"{transform.get('image_height')} × {transform.get('image_width')} pixels"),
    ]
    return CardPart("Model", tuple(sentences), tuple(row for row in rows if row[1]))


def _describe_data(data: ReportData) -> CardPart:
    source = data.request.recipe.get("data", {}).get("path", "")
    sentences = [f"From {source}."] if source else []
    if data.request.data:
        sentences.append(f"Its fingerprint is {data.request.data}.")
    if data.data.quarantine:
        found = data.data.quarantine
        share = format_share(found.quarantined / found.rows if found.rows else None)
        sentences.append(
            f"{format_count(found.quarantined)} of {format_count(found.rows)} rows ({share}) could "
            "not be used and are in no split."
        )
    splits = data.data.splits
    rows = [
        (each.name, *(format_count(each.counts.get(split, 0)) for split in splits))
        for each in data.data.classes
    ]
    return CardPart("Data", tuple(sentences), tuple(rows), ("class", *splits))


def _describe_metrics(evaluation: Evaluation) -> CardPart:
    overall = evaluation.overall.candidate
    rows = [
        (name, format_metric(name, value), format_interval(find_interval(overall, name)))
        for name, value in overall.items()
        if name != EXAMPLE_COUNT
    ]
    count = overall.get(EXAMPLE_COUNT)
    measured = f"On {format_count(round(count))} images." if count else ""
    heads = ("metric", "value", "95 % interval")
    return CardPart("Metrics", (measured,) if measured else (), tuple(rows), heads)


def _describe_slices(evaluation: Evaluation) -> CardPart:
    known = [part for part in evaluation.slices if part.candidate.get(COUNTED) is not None]
    weakest = sorted(known, key=_accuracy)[:_NAMED]
    rows = [
        (
            name_slice(part.name),
            format_count(round(part.candidate.get(EXAMPLE_COUNT) or 0)),
            format_metric(COUNTED, _accuracy(part)),
            format_interval(find_interval(part.candidate, COUNTED)),
        )
        for part in weakest
    ]
    left = len(known) - len(weakest)
    more = (f"The {len(weakest)} weakest of {len(known)}.",) if left else ()
    return CardPart("Slices", more, tuple(rows), ("slice", "images", COUNTED, "95 % interval"))


def _list_limits(data: ReportData, evaluation: Evaluation) -> Iterator[str]:
    yield (
        f"It names one of its {len(_classes(evaluation))} classes for every image that it can "
        "decode, also for one that shows none of them."
    )
    yield (
        "It was measured on images from the same source as those that it learned from. How it "
        "does on others, from other cameras, places or times, was not measured."
    )
    if "test" not in data.data.splits:
        yield (
            "The images that it was measured on also decided which epoch's weights were kept, so "
            "its figures are somewhat better than on images that nothing has looked at."
        )
    cut_by = sorted({part.name.partition(":")[0] for part in evaluation.slices})
    yield f"Measured apart, by slices: {', '.join(cut_by) or 'nothing'}."
    small = _name_small_classes(evaluation)
    if small:
        yield f"Classes measured on fewer than {FEW} images say little: {small}."
    yield "Whether its probabilities are calibrated was not measured."
    if evaluation.learned_nothing:
        yield f"{evaluation.learned_nothing[0].upper()}{evaluation.learned_nothing[1:]}."


def _name_small_classes(evaluation: Evaluation) -> str:
    classes = [part for part in evaluation.slices if part.name.startswith("label:")]
    counts = [(part.name, round(part.candidate.get(EXAMPLE_COUNT) or 0)) for part in classes]
    small = [f"{name.partition(':')[2]} ({count})" for name, count in counts if count < FEW]
    others = f" and {len(small) - _NAMED} more" if len(small) > _NAMED else ""
    return ", ".join(small[:_NAMED]) + others


def _describe_weights(data: ReportData) -> CardPart:
    origin = data.history.weights if data.history else None
    if origin is None:
        return CardPart("Licence of the weights", ("Not known.",))
    rows = (("began with", origin.source), ("licence", origin.licence))
    return CardPart("Licence of the weights", (), rows)


def _accuracy(part: Slice) -> float:
    return part.candidate.get(COUNTED) or 0.0


def _classes(evaluation: Evaluation | None) -> tuple[str, ...]:
    return evaluation.confusion.classes if evaluation and evaluation.confusion else ()

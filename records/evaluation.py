"""What Evaluator measured and found: `metrics.json` in the folder of its artifact.

Schema:
    candidate, baseline: `{"overall": {metric: value}, "slices": [{"slice": "label:3",
        "metrics": {metric: value}}]}`; `baseline` is null where none was compared with.
    confusion_matrix: `{"classes": [name], "counts": [[int]]}`, rows true, columns predicted.
    learned_nothing: one sentence where the model seems to have; else empty.
    gate: `{"blessed": bool, "baseline": state, "failures": [{"metric", "slice", "kind", "bound",
        "value"}]}`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

METRICS_FILE: Final = "metrics.json"
EXAMPLE_COUNT: Final = "example_count"
"""Among the metrics of a slice: how many examples it has."""
Metrics = Mapping[str, float | None]
"""Metric to value; None for one that cannot be computed."""


@dataclass(frozen=True)
class Slice:
    """Metrics of one part of the eval split; `baseline` is None where none was compared with."""

    name: str
    candidate: Metrics
    baseline: Metrics | None = None


@dataclass(frozen=True)
class Failure:
    """A bound that the gate found missed.

    Attributes:
        slice: `overall`, or such as `label:3`.
        kind: `absolute`, or `change` against the baseline.
        bound: What was wanted, such as `≥ 0.95`.
        value: What was measured; None when it could not be.
    """

    metric: str
    slice: str
    kind: str
    bound: str
    value: float | None


@dataclass(frozen=True)
class ConfusionMatrix:
    """Counts of the eval split: `counts[true][predicted]`, in the order of `classes`."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Evaluation:
    """What Evaluator measured.

    Attributes:
        overall: Metrics of the whole eval split.
        confusion: The confusion matrix; None where nothing was counted.
        baseline_state: `compared`, or why there was no comparison.
        learned_nothing: One sentence where the model seems to have, else "".
    """

    overall: Slice
    slices: tuple[Slice, ...] = ()
    confusion: ConfusionMatrix | None = None
    baseline_state: str = "absent"
    blessed: bool = False
    failures: tuple[Failure, ...] = ()
    learned_nothing: str = ""

    def write(self, folder: Path) -> None:
        """Writes `metrics.json` into a folder that is there."""
        content = {
            "candidate": self._describe("candidate"),
            "baseline": self._describe("baseline"),
            "confusion_matrix": asdict(self.confusion) if self.confusion else None,
            "learned_nothing": self.learned_nothing,
            "gate": {
                "blessed": self.blessed,
                "baseline": self.baseline_state,
                "failures": [asdict(failure) for failure in self.failures],
            },
        }
        (folder / METRICS_FILE).write_text(json.dumps(content, indent=1))

    def _describe(self, model: Literal["candidate", "baseline"]) -> dict[str, Any] | None:
        overall = getattr(self.overall, model)
        measured = [(part.name, getattr(part, model)) for part in self.slices]
        slices = [
            {"slice": name, "metrics": metrics} for name, metrics in measured if metrics is not None
        ]
        return None if overall is None else {"overall": overall, "slices": slices}

    @classmethod
    def read(cls, folder: Path) -> "Evaluation":
        """Reads `metrics.json`; OSError where it is not there."""
        content = json.loads((folder / METRICS_FILE).read_text())
        candidate, baseline, gate = content["candidate"], content["baseline"], content["gate"]
        before = {part["slice"]: part["metrics"] for part in baseline["slices"]} if baseline else {}
        return cls(
            overall=Slice("overall", candidate["overall"], baseline and baseline["overall"]),
            slices=tuple(
                Slice(part["slice"], part["metrics"], before.get(part["slice"]))
                for part in candidate["slices"]
            ),
            confusion=_read_matrix(content["confusion_matrix"]),
            baseline_state=gate["baseline"],
            blessed=gate["blessed"],
            failures=tuple(Failure(**failure) for failure in gate["failures"]),
            learned_nothing=content["learned_nothing"],
        )


def _read_matrix(content: Mapping[str, Any] | None) -> ConfusionMatrix | None:
    if not content or not any(map(any, content["counts"])):
        return None
    return ConfusionMatrix(tuple(content["classes"]), tuple(map(tuple, content["counts"])))

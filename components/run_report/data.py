"""What the page shows, as plain data: no TFX, no TensorFlow, no files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from darkroom.records.evaluation import Evaluation
from darkroom.records.push import PushState
from darkroom.records.training import TrainingRecord

State = Literal[PushState, "failed", "unknown"]


@dataclass(frozen=True)
class Request:
    """What a run was asked for; empty what is not known.

    Args:
        pipeline: Name of the pipeline.
        recipe: The recipe with all its defaults; empty for one that is no mapping.
        config: Path of the recipe, as the user gave it.
        folder: Folder in which the command ran.
        text: The recipe as it was written.
        assignments: What stood in the place of its values, each FIELD=VALUE.
        commit: Git's name for the state of the recipe's folder, `-dirty` behind it where files had
            been changed since.
        data: Fingerprint of the data.
    """

    pipeline: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    folder: str = ""
    text: str = ""
    assignments: tuple[str, ...] = ()
    commit: str = ""
    data: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """What goes into the run's summary as it is."""
        return {
            "config": self.config,
            "recipe": self.recipe,
            "commit": self.commit or None,
            "data_fingerprint": self.data,
        }


@dataclass(frozen=True)
class Verdict:
    """How the run ended.

    Args:
        state: What Pusher did; `failed` where the run ended early, `unknown` without a Pusher.
        version: Version that is served now, 0 for none.
        destination: Where that version is.
        reasons: Why nothing was pushed, or what stopped the run, a sentence each.
    """

    state: State
    version: int = 0
    destination: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class RejectedRow:
    """An input row that became no example; `row` counts from the input's first row.

    `picture` is a `data:` URI of `width` pixels, or "" for what cannot be shown.
    """

    row: int
    image_path: str
    label: str
    reason: str
    detail: str
    picture: str = ""
    width: int = 0


@dataclass(frozen=True)
class Quarantine:
    """What the ingest could not use.

    Args:
        rows: Rows of the input.
        quarantined: Those that became no example.
        reasons: How many by reason code, the most frequent first.
        first: The first of them.
        notes: What else the ingest counted, such as duplicates.
    """

    rows: int
    quarantined: int
    reasons: tuple[tuple[str, int], ...] = ()
    first: tuple[RejectedRow, ...] = ()
    notes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Anomaly:
    """Something in a split that the schema does not expect."""

    split: str
    feature: str
    summary: str
    detail: str


@dataclass(frozen=True)
class ClassCount:
    """How many examples of a class each split has."""

    name: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Data:
    """The data of the run; None or empty where an input was not given.

    Args:
        train: Examples of the train split.
        eval: Examples of the eval split.
        test: Examples of the test split; None where there is none, too.
        quarantine: What the ingest could not use.
        anomalies: What the validation found, possibly nothing.
        classes: The classes, the one with the most examples first.
    """

    train: int | None = None
    eval: int | None = None
    test: int | None = None
    quarantine: Quarantine | None = None
    anomalies: tuple[Anomaly, ...] | None = None
    classes: tuple[ClassCount, ...] = ()

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the classes were counted in, train first."""
        found = {split for each in self.classes for split in each.counts}
        return tuple(sorted(found, key=lambda split: (split != "train", split)))


@dataclass(frozen=True)
class Mistake:
    """A wrong answer.

    Args:
        path: Where the image came from.
        label: True class.
        predicted: The model's answer.
        score: Its probability for that answer, 0 to 1.
        picture: The image as a `data:` URI, or "" when it cannot be shown.
        width: Width of the picture in pixels.
    """

    path: str
    label: str
    predicted: str
    score: float
    picture: str = ""
    width: int = 0


@dataclass(frozen=True)
class Mistakes:
    """The worst of the wrong answers.

    Args:
        looked_at: Images asked about, from the start of the split that it is judged by.
        wrong: Wrong answers among them.
        undecodable: Images among them that the model could not decode.
        worst: The most confident wrong answers, the worst first.
    """

    looked_at: int
    wrong: int
    undecodable: int = 0
    worst: tuple[Mistake, ...] = ()


@dataclass(frozen=True)
class NodeRow:
    """A node of a run.

    Args:
        name: Its id in the DAG.
        state: `run`, `cached`, `failed`, `interrupted` or `not run`.
        seconds: How long it took; None where it did not run.
    """

    name: str
    state: str
    seconds: float | None


@dataclass(frozen=True)
class Stop:
    """What is known of the end of a run that ended early.

    Args:
        trace: The last lines of the error's trace.
        log: The last lines of the log.
    """

    trace: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """A command that goes on from the run, and what for; a line each."""

    purpose: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class CardPart:
    """A part of the model card.

    Args:
        title: Its heading.
        sentences: What is to be said.
        rows: A table, or none.
        heads: Of its columns; empty for names with values.
    """

    title: str
    sentences: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    heads: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportData:
    """All that the page shows; None or empty for a section whose input was not given.

    Args:
        request: What the run was asked for.
        verdict: How the run ended.
        data: Counts, quarantine, anomalies and classes.
        evaluation: Metrics and gate.
        history: Learning curves.
        mistakes: Pictures of wrong answers.
        problems: Sections that could not be made, a sentence each.
        nodes: All nodes, in the order they run.
        stop: The end of a run that ended early; sections that it did not get to are left out.
        run_id: Name of the run's folder.
        made: When the page was made.
        previous: Name of the folder of the run before, beside this one's.
        commands: Commands that go on from the run.
        card: The model card.
    """

    request: Request
    verdict: Verdict
    data: Data = field(default_factory=Data)
    evaluation: Evaluation | None = None
    history: TrainingRecord | None = None
    mistakes: Mistakes | None = None
    problems: tuple[str, ...] = ()
    nodes: tuple[NodeRow, ...] = ()
    stop: Stop | None = None
    run_id: str = ""
    made: str = ""
    previous: str = ""
    commands: tuple[Command, ...] = ()
    card: tuple[CardPart, ...] = ()

"""What the page shows, as plain data: no TFX, no TensorFlow, no files."""

from dataclasses import dataclass, field
from typing import Literal

from darkroom.records.evaluation import Evaluation
from darkroom.records.push import PushState
from darkroom.records.training import TrainingRecord

State = Literal[PushState, "failed", "unknown"]


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
    """An input row that became no example; `row` counts from the input's first row."""

    row: int
    image_path: str
    label: str
    reason: str
    detail: str


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
class Data:
    """The data of the run; None where an input was not given.

    Args:
        train: Examples of the train split.
        eval: Examples of the eval split.
        test: Examples of the test split; None where there is none, too.
        quarantine: What the ingest could not use.
        anomalies: What the validation found, possibly nothing.
    """

    train: int | None = None
    eval: int | None = None
    test: int | None = None
    quarantine: Quarantine | None = None
    anomalies: tuple[Anomaly, ...] | None = None


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
        looked_at: Images asked about, from the start of the eval split.
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
    """A node of a run that ended early.

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
        nodes: All nodes, in the order they run.
        trace: The last lines of the error's trace.
        log: The last lines of the log.
    """

    nodes: tuple[NodeRow, ...]
    trace: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportData:
    """All that the page shows; None for a section whose input was not given.

    Args:
        pipeline: Name of the pipeline.
        verdict: How the run ended.
        facts: Further facts for the head of the page, name and value.
        data: Counts, quarantine and anomalies.
        evaluation: Metrics and gate.
        history: Learning curves.
        mistakes: Pictures of wrong answers.
        recipe: The recipe as text.
        problems: Sections that could not be made, a sentence each.
        stop: The end of a run that ended early; sections that it did not get to are left out.
    """

    pipeline: str
    verdict: Verdict
    facts: tuple[tuple[str, str], ...] = ()
    data: Data = field(default_factory=Data)
    evaluation: Evaluation | None = None
    history: TrainingRecord | None = None
    mistakes: Mistakes | None = None
    recipe: str = ""
    problems: tuple[str, ...] = ()
    stop: Stop | None = None

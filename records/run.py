"""What is known of a run, and of each node that has run."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

NodeState = Literal["run", "cached", "failed", "interrupted"]


@dataclass(frozen=True)
class NodeResult:
    """One node of one run.

    Attributes:
        name: The node's id in the DAG.
        seconds: Wall-clock time of driver, executor and publisher.
        state: As ML Metadata has it in the end, but for `interrupted`, which is a failure there.
        error: What went wrong, in one line; empty otherwise.
        outputs: Output artifacts by output key.
        trace: Where the error came from, for those who ask; empty otherwise.
    """

    name: str
    seconds: float
    state: NodeState
    error: str = ""
    outputs: dict[str, "list[Artifact]"] = field(default_factory=dict)
    trace: str = ""


@dataclass(frozen=True)
class EndedRun:
    """A run that came to its end, failed or was interrupted.

    Attributes:
        run_id: Name of the run's folder.
        error: What stopped it, in one line; empty where nothing did.
        expected: Ids of all nodes of the DAG; empty where it was not built.
        trace: Where the error came from; may be empty.
        log: The log's last lines.
        previous: Name of the folder of the run before, beside this one's; empty where there is none
            with a report.
    """

    run_id: str
    error: str
    results: tuple[NodeResult, ...]
    expected: tuple[str, ...]
    trace: str
    log: tuple[str, ...]
    previous: str = ""

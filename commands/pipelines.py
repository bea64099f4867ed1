"""What a pipeline's name leads to: its newest run, and through that its recipe."""

from dataclasses import dataclass
from pathlib import Path

from darkroom.runner.runs import Run, find_pipeline, list_runs
from darkroom.runner.session import RunError


@dataclass(frozen=True)
class PushedPipeline:
    """A pipeline that has run.

    Attributes:
        name: Its name.
        destination: Where it pushes to.
        model_name: Name under which its model is served.
        runs: Its runs, the newest first.
    """

    name: str
    destination: str
    model_name: str
    runs: list[Run]


def open_pipeline(folder: Path, name: str) -> PushedPipeline:
    """Looks a pipeline up by its name.

    Args:
        folder: The runs folder.
        name: The pipeline.

    Raises:
        RunError: It has not run, or no run of it got as far as a summary.
    """
    runs = list_runs(find_pipeline(folder, name))
    recipe = next((run.summary["recipe"] for run in runs if run.summary), None)
    if recipe is None:
        raise RunError(f"no run of {name!r} in {str(folder)!r} has come to an end")
    push = recipe["push"]
    return PushedPipeline(name, push["destination"], push["model_name"], runs)

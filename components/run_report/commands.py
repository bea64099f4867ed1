"""Commands that go on from a run: what reproduces it, serves its model, asks that."""

import shlex
from typing import Final

from darkroom.components.run_report.data import Command, ReportData, Request

DIRTY: Final = "-dirty"
"""Git's mark behind the name of a commit, where files had been changed since."""


def list_commands(data: ReportData) -> tuple[Command, ...]:
    """The commands, as one would type them; none where it is not known how the run was started.

    A model that was not pushed cannot be served, so that no command claims to.
    """
    request = data.request
    if not request.config:
        return ()
    name, runs = request.pipeline, _runs_option(request)
    found = [Command("Run it again", _reproduce(request))]
    if data.previous:
        pair = f"{name}/{data.previous} {name}/{data.run_id}"
        found.append(Command("Compare it with the run before", (f"darkroom compare {pair}{runs}",)))
    if data.verdict.state in ("pushed", "unchanged"):
        found += [
            Command("Serve the newest version", (f"darkroom serve {name}{runs}",)),
            Command("Ask it", (f"darkroom predict IMAGE --name {name}{runs}",)),
        ]
    return tuple(found)


def _reproduce(request: Request) -> tuple[str, ...]:
    words = ["darkroom", "run", request.config]
    words += [word for each in request.assignments for word in ("--set", each)]
    clean = request.commit and not request.commit.endswith(DIRTY)
    return (
        f"cd {shlex.quote(request.folder)}",
        *([f"git checkout {request.commit}"] if clean else ()),
        shlex.join(words),
    )


def _runs_option(request: Request) -> str:
    folder = str(request.recipe.get("runs_folder", "runs"))
    return "" if folder == "runs" else f" --runs {shlex.quote(folder)}"

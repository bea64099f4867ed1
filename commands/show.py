"""`darkroom show RUN`: one run in full."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.commands.options import add_json, add_runs_folder

if TYPE_CHECKING:
    from darkroom.runner.runs import Run

HELP = "show a run: nodes, examples, metrics, verdict, report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "run",
        metavar="RUN",
        help="a run's id, the version that it pushed, or a pipeline's name for its newest",
    )
    add_runs_folder(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints what the run's own end looked like, or its `summary.json`."""
    from darkroom.runner.runs import find_run
    from darkroom.runner.session import RunError
    from darkroom.runner.terminal import Terminal

    found = find_run(options.runs, options.run)
    state = _find_state(found)
    if options.json:
        print(json.dumps(found.summary | {"version_state": state}, indent=2))
        return 0
    if not found.summary:
        log = found.place.folder / "run.log"
        raise RunError(f"run {found.name} is {found.status}: it has no summary; its log is {log}")
    terminal = Terminal(sys.stdout)
    terminal.say(f"run {found.name}: {found.summary['config']}")
    for node in found.summary["components"]:
        terminal.node(node["name"], node["seconds"], "cached" if node["cached"] else "run")
    folder = found.place.folder
    places = {
        "report": folder / "report.html",
        "log": folder / "run.log",
        "summary": folder / "summary.json",
    }
    terminal.summary(found.summary, {name: str(p) for name, p in places.items() if p.is_file()})
    if state:
        terminal.say(f"version   {found.version}: {state}")
    return 0


def _find_state(run: "Run") -> str | None:
    """What has become of the version that a run pushed to a folder that is there."""
    from darkroom.storage.versions.lifecycle import list_versions

    if run.status != "pushed":
        return None
    destination = run.summary["recipe"]["push"]["destination"]
    if not Path(destination).is_dir():
        return None
    states = {each.number: each.state for each in list_versions(destination)}
    return states.get(run.version or 0, "gone")

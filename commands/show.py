"""`darkroom show RUN`: one run in full."""

import argparse
import json
import sys

from darkroom.commands.options import add_json, add_runs_folder

HELP = "show a run: nodes, examples, metrics, verdict, report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "run", metavar="RUN", help="a run's id, or a pipeline's name for its newest"
    )
    add_runs_folder(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints what the run's own end looked like, or its `summary.json`."""
    from darkroom.runner.runs import find_run
    from darkroom.runner.session import RunError
    from darkroom.runner.terminal import Terminal

    found = find_run(options.runs, options.run)
    if options.json:
        print(json.dumps(found.summary, indent=2))
        return 0
    if not found.summary:
        raise RunError(f"run {found.name} is {found.status}: it has no summary (yet)")
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
    return 0

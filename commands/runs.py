"""`darkroom runs`: what has run, with its verdict and its figures."""

import argparse
import json

from darkroom.commands.options import add_json, add_runs_folder
from darkroom.commands.tables import print_table

HELP = "list runs, the newest first: verdict, metrics, version, seconds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("pipeline", nargs="?", metavar="NAME", help="of one pipeline only")
    parser.add_argument(
        "--number",
        "-n",
        type=int,
        default=20,
        metavar="N",
        help="at most N of each pipeline (default: 20)",
    )
    add_runs_folder(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints the table, or a JSON list of summaries with `name` and `seconds`."""
    from darkroom.runner.runs import find_pipeline, list_pipelines, list_runs

    names = [options.pipeline] if options.pipeline else list_pipelines(options.runs)
    homes = [find_pipeline(options.runs, name) for name in names]
    found = [run for home in homes for run in list_runs(home)[: options.number]]
    if options.json:
        facts = [{"name": r.name, "status": r.status, "seconds": r.seconds} for r in found]
        print(json.dumps([run.summary | f for run, f in zip(found, facts, strict=True)], indent=2))
        return 0
    if not found:
        print(f"no runs in {str(options.runs)!r}; start one with `darkroom run RECIPE`")
        return 0
    rows = [
        (
            run.name,
            run.status.replace("_", " "),
            (run.summary.get("metrics") or {}).get("accuracy"),
            run.version,
            run.summary.get("examples", {}).get("train"),
            round(run.seconds),
            run.summary.get("config", ""),
        )
        for run in found
    ]
    print_table(("run", "verdict", "accuracy", "version", "train", "seconds", "recipe"), rows)
    return 0

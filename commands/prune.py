"""`darkroom prune NAME`: old runs go, and the artifacts and versions that went with them."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.commands.options import add_pipeline

if TYPE_CHECKING:
    from darkroom.storage.versions.served import Version

HELP = (
    "remove old runs with their artifacts, and old versions; never what is served, nor a run whose "
    "folder holds a file `pinned`"
)
_DAY = 24 * 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_pipeline(parser)
    parser.add_argument("--keep", type=_count, metavar="N", help="keep the N newest runs")
    parser.add_argument("--days", type=float, metavar="D", help="keep runs of the last D days")
    parser.add_argument(
        "--keep-versions", type=_count, metavar="N",
        help="keep the N newest versions in place (default: all); withdrawn ones stay",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")


def run(options: argparse.Namespace) -> int:
    """Says what goes and what that frees, and removes it."""
    from darkroom.commands.pipelines import open_pipeline
    from darkroom.runner.pruning import choose_runs, folder_size, plan_pruning, prune
    from darkroom.runner.runs import find_pipeline
    from darkroom.runner.session import RunError, only_run
    from darkroom.storage.versions.lifecycle import list_versions, remove

    if options.keep is None and options.days is None and options.keep_versions is None:
        raise RunError("say what to keep: --keep N, --days D, --keep-versions N")
    home = find_pipeline(options.runs, options.pipeline)
    with only_run(home):
        pipeline = open_pipeline(options.runs, options.pipeline)
        versions = list_versions(pipeline.destination)
        served = next((each.number for each in versions if each.state == "served"), None)
        since = None if options.days is None else time.time() - options.days * _DAY
        by_run = options.keep is not None or since is not None
        chosen = choose_runs(pipeline.runs, options.keep, since, served) if by_run else []
        plan = plan_pruning(home, chosen)
        old = _old_versions(versions, options.keep_versions)
        for each in plan.runs:
            print(f"run      {each.name}  {each.status.replace('_', ' ')}")
        for version in old:
            print(f"version  {version.number}")
        size = plan.size + sum(folder_size(Path(version.path)) for version in old)
        verb = "would free" if options.dry_run else "frees"
        print(f"{verb} {size / 1e6:.1f} MB; {len(pipeline.runs) - len(chosen)} runs stay")
        if not options.dry_run:
            prune(plan)
            for version in old:
                remove(pipeline.destination, version)
    return 0


def _old_versions(versions: "list[Version]", keep: int | None) -> "list[Version]":
    """Versions in place below the newest ones; withdrawn ones are somebody's to put back."""
    in_place = [version for version in versions if version.state != "withdrawn"]
    return [] if keep is None else in_place[max(keep, 1) :]


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is not 0 or more")
    return value

"""`darkroom versions NAME`: what is served and was, and which run it came from."""

import argparse
import json
import time

from darkroom.commands.options import add_json, add_pipeline
from darkroom.commands.tables import print_table

HELP = "list the versions of a pipeline's model: served, older, withdrawn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_pipeline(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints a line a version, the newest first, with the run that pushed it."""
    from darkroom.commands.pipelines import open_pipeline
    from darkroom.runner.runs import find_pushing_run
    from darkroom.storage.versions.lifecycle import list_versions

    pipeline = open_pipeline(options.runs, options.pipeline)
    found = []
    for version in list_versions(pipeline.destination):
        pushing = find_pushing_run(pipeline.runs, version.number)
        found.append(
            {
                "version": version.number,
                "state": version.state,
                "pushed": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(version.number)),
                "run": pushing.place.run_id if pushing else None,
                "accuracy": (pushing.summary["metrics"] or {}).get("accuracy") if pushing else None,
                "path": str(version.path),
            }
        )
    if options.json:
        print(json.dumps(found, indent=2))
    elif not found:
        print(f"{pipeline.destination} holds no version yet")
    else:
        columns = ("version", "state", "pushed", "run", "accuracy")
        print_table(columns, [[each[column] for column in columns] for each in found])
    return 0

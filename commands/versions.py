"""`darkroom versions NAME`: what is served and was, and which run it came from.

A version says itself where it comes from; of those that do not, the runs that are there still do.
"""

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from darkroom.commands.options import add_json, add_pipeline
from darkroom.commands.tables import print_table

if TYPE_CHECKING:
    from darkroom.commands.pipelines import PushedPipeline
    from darkroom.storage.versions.served import Version

HELP = "list the versions of a pipeline's model: served, older, withdrawn"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_pipeline(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints a line a version, the newest first, with the run that pushed it."""
    from darkroom.commands.pipelines import open_pipeline
    from darkroom.storage.versions.lifecycle import list_versions

    pipeline = open_pipeline(options.runs, options.pipeline)
    found = [_describe(pipeline, each) for each in list_versions(pipeline.destination)]
    if options.json:
        print(json.dumps(found, indent=2))
    elif not found:
        print(f"{pipeline.destination} holds no version yet")
    else:
        columns = ("version", "state", "pushed", "run", "accuracy")
        print_table(columns, [[each[column] for column in columns] for each in found])
    return 0


def _describe(pipeline: "PushedPipeline", version: "Version") -> dict[str, Any]:
    from darkroom.records.origin import Origin
    from darkroom.runner.runs import find_pushing_run
    from darkroom.storage.versions.place import open_place

    place = open_place(pipeline.destination)
    origin = Origin.read(lambda name: place.read(version, name))
    pushing = find_pushing_run(pipeline.runs, version.number)
    if origin is None and pushing:
        metrics = pushing.summary["metrics"] or {}
        origin = Origin(pipeline.name, pushing.place.run_id, metrics, "")
    return {
        "version": version.number,
        "state": version.state,
        "pushed": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(version.number)),
        "recipe": origin.recipe if origin else None,
        "run": origin.run if origin else None,
        "accuracy": origin.metrics.get("accuracy") if origin else None,
        "metrics": origin.metrics if origin else None,
        "digest": origin.digest or None if origin else None,
        "path": str(version.path),
    }

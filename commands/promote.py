"""`darkroom promote NAME VERSION`: a version becomes the served one."""

import argparse

from darkroom.commands.options import add_pipeline

HELP = "serve VERSION: put it back where it was withdrawn, and withdraw those above it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_pipeline(parser)
    parser.add_argument("version", type=int, metavar="VERSION", help="as `darkroom versions` lists")


def run(options: argparse.Namespace) -> int:
    """Makes it the newest in place."""
    from darkroom.commands.pipelines import open_pipeline
    from darkroom.storage.versions.lifecycle import promote

    pipeline = open_pipeline(options.runs, options.pipeline)
    served = promote(pipeline.destination, options.version)
    print(f"version {served.number} is served from {served.path}")
    return 0

"""`darkroom run RECIPE`: the pipeline, on this machine."""

import argparse

from darkroom.commands.options import add_recipe, find_recipe
from darkroom.runner.options import add_run_arguments

HELP = "run a recipe: ingest, check, train, evaluate, push"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_recipe(parser)
    add_run_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Runs it; returns the exit code of the verdict."""
    from darkroom.pipeline import run_command

    options.config = find_recipe(options.config)
    return run_command(options)

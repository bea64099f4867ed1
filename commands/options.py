"""Arguments that several commands take."""

import argparse
from pathlib import Path


def add_runs_folder(parser: argparse.ArgumentParser) -> None:
    """Adds `--runs`."""
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="FOLDER",
        help="where runs are kept: the recipe's runs_folder (default: runs)",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """Adds the pipeline's name, as `pipeline`, and `--runs`."""
    parser.add_argument("pipeline", metavar="NAME", help="the pipeline: the recipe's name")
    add_runs_folder(parser)

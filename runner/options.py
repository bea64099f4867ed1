"""What may be said of a run on this machine beside its recipe."""

import argparse


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares `--set`, `--dry-run`, `--verbose` and `--quiet`."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE",
        help="a value in the place of the recipe's, as trainer.seed=3",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="only say which nodes would run, and why"
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--verbose", action="store_true",
        help="show the trace of an error, and what TensorFlow says while it is loaded",
    )  # fmt: skip
    shown.add_argument("--quiet", action="store_true", help="show nothing before the end")

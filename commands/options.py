"""Arguments that several commands take."""

import argparse
from pathlib import Path
from typing import Final

_SHIPPED: Final = Path(__file__).resolve().parent.parent / "configs"


def add_runs_folder(parser: argparse.ArgumentParser) -> None:
    """Adds `--runs`."""
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="FOLDER",
        help="where runs are kept: the recipe's runs_folder (default: runs)",
    )  # fmt: skip


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Adds the recipe, as `config`."""
    shipped = sorted(path.stem for path in _SHIPPED.glob("*.yaml"))
    parser.add_argument(
        "config", metavar="RECIPE", type=_find_recipe,
        help=f"a YAML file, or a name of one that is shipped: {', '.join(shipped)}",
    )  # fmt: skip


def _find_recipe(text: str) -> str:
    """The file, else the shipped recipe of that name."""
    shipped = _SHIPPED / f"{text}.yaml"
    return str(shipped) if not Path(text).is_file() and shipped.is_file() else text


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """Adds the pipeline's name, as `pipeline`, and `--runs`."""
    parser.add_argument("pipeline", metavar="NAME", help="the pipeline: the recipe's name")
    add_runs_folder(parser)

"""Arguments that several commands take."""

import argparse
from pathlib import Path
from typing import Final

from darkroom.records.suggestion import did_you_mean

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
        "config", metavar="RECIPE",
        help=f"a YAML file, or a name of one that is shipped: {', '.join(shipped)}",
    )  # fmt: skip


def find_recipe(text: str) -> str:
    """Returns the file, else the shipped recipe of that name.

    Raises:
        ConfigError: There is neither.
    """
    if Path(text).exists():
        return text
    shipped = {path.stem: str(path) for path in _SHIPPED.glob("*.yaml")}
    if text not in shipped:
        from darkroom.recipe import ConfigError

        known = [*map(str, Path(text).parent.glob("*.yaml")), *shipped]
        raise ConfigError(
            f"cannot read {text!r} (No such file or directory); {did_you_mean(text, sorted(known))}"
        )
    return shipped[text]


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_pipeline(parser: argparse.ArgumentParser) -> None:
    """Adds the pipeline's name, as `pipeline`, and `--runs`."""
    parser.add_argument("pipeline", metavar="NAME", help="the pipeline: the recipe's name")
    add_runs_folder(parser)

"""`darkroom check RECIPE`: all that can be known of the data before the training."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from darkroom.commands.options import add_json, add_recipe, find_recipe
from darkroom.commands.tables import print_table

HELP = "look at every image as a run would: classes, splits, what is rejected, what is odd"
_SPLITS: Final = ("train", "eval", "test")
_SHOWN: Final = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_recipe(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints what was found; exit code 2 where a run would be refused, and why."""
    found = _look(options.config, quiet=options.json or not sys.stderr.isatty())
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return 2 if found["error"] else 0


def _look(recipe: str, quiet: bool) -> dict[str, Any]:
    """`rows`, `notes`, `classes`, `rejected`, `warnings` and `error` of a recipe's data."""
    from darkroom.components.data_gate.gate import check_classes, check_quarantine, check_splits
    from darkroom.components.errors import ComponentError
    from darkroom.components.image_example_gen.check import check
    from darkroom.components.image_example_gen.data_set import keep_open
    from darkroom.components.image_example_gen.inspection import inspect
    from darkroom.recipe import ConfigError, load_recipe
    from darkroom.storage.errors import StorageError

    content: dict[str, Any] = {
        "rows": 0, "notes": (), "classes": {}, "rejected": [], "warnings": [], "error": None,
    }  # fmt: skip
    try:
        data = load_recipe(Path(find_recipe(recipe))).data
        with keep_open(data):
            overview = check(data)
            content["rows"], content["notes"] = overview.rows, overview.notes
            found = inspect(data, (lambda done: None) if quiet else _progress(overview.rows))
        content["classes"] = {
            label: {split: splits[split] for split in _SPLITS}
            for label, splits in sorted(found.classes.items())
        }
        content["rejected"] = [
            {"path": each.image_path, "reason": each.reason, "detail": each.detail}
            for each in found.rejected
        ]
        content["warnings"] = [
            {"code": each.code, "message": each.message, "paths": list(each.paths)}
            for each in found.find(data.max_quarantined)
        ]
        check_quarantine(found.summary(), data.max_quarantined)
        check_classes(found.summary())
        check_splits(found.summary())
    except (ConfigError, ComponentError, StorageError) as error:
        content["error"] = str(error)
    return content


def _progress(rows: int) -> Any:
    def report(done: int) -> None:
        print(f"\r{done} of {rows} rows", end="" if done < rows else "\n", file=sys.stderr)

    return report


def _show(found: dict[str, Any]) -> None:
    if found["classes"]:
        splits = [s for s in _SPLITS if any(n[s] for n in found["classes"].values())]
        rows = [(label, *(n[s] for s in splits)) for label, n in found["classes"].items()]
        print_table(("class", *splits), rows)
        print(f"{found['rows']} rows, {len(found['rejected'])} rejected")
    for note in found["notes"]:
        print(f"note      {note}")
    for each in found["rejected"][:_SHOWN]:
        print(f"rejected  {each['path']}: {each['detail']} ({each['reason']})")
    if len(found["rejected"]) > _SHOWN:
        print(f"rejected  … and {len(found['rejected']) - _SHOWN} more; --json lists all")
    for each in found["warnings"]:
        named = ", ".join(each["paths"][:3]) + (", …" if len(each["paths"]) > 3 else "")
        print(f"warning   {each['message']}{f': {named}' if named else ''} ({each['code']})")
    if found["error"]:
        print(f"error: {found['error']}", file=sys.stderr)

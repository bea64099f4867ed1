"""What each node's cache key is made of, before and after files are edited, one at a time.

Usage, from a copy in the tree that is looked at: python cache_keys.py RECIPES EDITED
"""

import json
import sys
from pathlib import Path
from typing import Any

from darkroom.pipeline import InputState, create_pipeline
from darkroom.recipe import parse_recipe

Keys = dict[str, dict[str, str]]


def read_keys(recipes: dict[str, Any]) -> Keys:
    """Recipe to node to all that TFX's key holds of it, as JSON."""
    return {
        name: {
            node.id: json.dumps(
                [node.executor_spec.class_path, node.exec_properties], sort_keys=True, default=str
            )
            for node in create_pipeline(
                parse_recipe(content), InputState("data", "served"), "artifacts"
            ).components
        }
        for name, content in recipes.items()
    }


def main(recipes: Path, edited: Path) -> None:
    """Prints keys by the file that was edited; those of the unchanged tree by an empty name."""
    contents = json.loads(recipes.read_text())
    found = {"": read_keys(contents)}
    for name in json.loads(edited.read_text()):
        code = Path("darkroom", name)
        path = code if code.exists() else Path(name)
        before = path.read_bytes()
        path.write_bytes(before + b"\n# edited\n")
        found[name] = read_keys(contents)
        path.write_bytes(before)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""A folder with a small set of digits and a recipe for it, to run whole pipelines in."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from darkroom.recipe import Recipe, parse_recipe
from darkroom.samples.digits import is_sample_path, sample_files
from darkroom.samples.folder import write_folder

PER_CLASS = 24


class Workspace:
    """Digits, a recipe, runs and a serving folder, all below one folder.

    Args:
        folder: Where.
        per_class: Images of each digit.
    """

    def __init__(self, folder: Path, per_class: int = PER_CLASS):
        self.folder = folder
        self.data = folder / "data"
        self.serving = folder / "serving"
        self.runs = folder / "runs"
        write_folder(self.data, sample_files("csv", per_class), is_sample_path)
        self.content: dict[str, Any] = {
            "name": "small",
            "data": {"path": str(self.data), "metadata_columns": ["source"]},
            "transform": {"image_height": 64, "image_width": 64},
            "trainer": {
                "backbone": "mobilenet_v2",
                "alpha": 0.35,
                "weights": "letters",
                "head_epochs": 4,
                "head_learning_rate": 0.01,
                "fine_tune_epochs": 0,
            },
            "evaluation": {"thresholds": {"accuracy": {"min": 0.5}}},
            "push": {"destination": str(self.serving), "model_name": "small"},
            "runs_folder": str(self.runs),
        }

    def changed(self, **sections: dict[str, Any]) -> dict[str, Any]:
        """The recipe's content with some keys of some sections replaced."""
        content = copy.deepcopy(self.content)
        for name, section in sections.items():
            content.setdefault(name, {}).update(section)
        return content

    def recipe(self, **sections: dict[str, Any]) -> Recipe:
        """The recipe with some keys of some sections replaced."""
        return parse_recipe(self.changed(**sections))

    def write_recipe(self, **sections: dict[str, Any]) -> Path:
        """Writes the recipe as a YAML file."""
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(self.changed(**sections)))
        return path

    def summary(self) -> dict[str, Any]:
        """The latest run's summary."""
        return json.loads((self.runs / "small" / "latest" / "summary.json").read_text())

    def versions(self) -> list[int]:
        """Versions in the serving folder."""
        if not self.serving.is_dir():
            return []
        return sorted(int(path.name) for path in self.serving.iterdir() if path.name.isdecimal())


def cached(summary: dict[str, Any]) -> dict[str, bool]:
    """Node to whether it came from the cache."""
    return {node["name"]: node["cached"] for node in summary["components"]}

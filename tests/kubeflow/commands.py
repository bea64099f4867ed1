"""What the tests of submitting and scheduling share."""

from pathlib import Path
from typing import Any

import yaml

from darkroom.kubeflow.compile import CompiledPipeline
from darkroom.kubeflow.server.rest import Patience

QUICK = Patience(attempts=4, first_pause=0.001, longest_pause=0.002, connect=5.0, read=0.25)
"""Tries again at once; `read` bounds the faults that are slow answers."""


def write_recipe(folder: Path, **sections: dict[str, Any]) -> Path:
    """Writes a recipe whose folders are none of this machine."""
    content: dict[str, Any] = {
        "name": "small",
        "data": {"path": "/mnt/small/data"},
        "trainer": {"seed": 1},
        "evaluation": {"thresholds": {"accuracy": {"min": 0.5}}},
        "push": {"destination": "/mnt/small/serving", "model_name": "small"},
    }
    for name, section in sections.items():
        content.setdefault(name, {}).update(section)
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def compile_quickly(recipe, image, root, fingerprinted=False) -> CompiledPipeline:
    """Stands for `compile_recipe`, which needs TFX and seconds: as much as a server looks at."""
    name = {"name": recipe.name, "image": image, "fingerprinted": fingerprinted}
    return CompiledPipeline({"pipelineInfo": name, "defaultPipelineRoot": root}, {})


def job_arguments(host: str, recipe: Path, *more: str) -> list[str]:
    """A command line for either command."""
    given = ["--host", host, "--config", str(recipe), "--image", "darkroom:1", "--root", "s3://b/r"]
    return [*given, *more]

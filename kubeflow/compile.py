"""Compiles the DAG for Kubeflow Pipelines.

Usage:
    python -m kubeflow.compile --config configs/digits.yaml --image IMAGE --root URI --output FILE

Open-source Kubeflow Pipelines takes schema version 2.1.0 only, and runs neither resolvers nor
TFX's InfraValidator; the DAG has none.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from config import ConfigError, Recipe, load_recipe
from pipeline import UNCACHED_NODES, InputState, create_pipeline

READ_AT_RUN_TIME = ("ImageExampleGen", "BaselineModel")
"""Without a fingerprint of what they read, these must not come from the cache."""


def compile_recipe(recipe: Recipe, image: str, root: str) -> dict[str, Any]:
    """Compiles a recipe.

    Args:
        recipe: What to do; its paths are those inside the containers.
        image: Container image that has this project installed.
        root: Pipeline root on the cluster's object store, or a mounted volume.

    Returns:
        The pipeline specification, schema version 2.1.0, as plain data.
    """
    from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
        KubeflowV2DagRunner,
        KubeflowV2DagRunnerConfig,
    )

    config = KubeflowV2DagRunnerConfig(default_image=image, use_pipeline_spec_2_1=True)
    with tempfile.TemporaryDirectory() as folder:
        runner = KubeflowV2DagRunner(config, output_dir=folder, output_filename="pipeline.yaml")
        runner.run(create_pipeline(recipe, InputState(), root))
        specification = yaml.safe_load((Path(folder) / "pipeline.yaml").read_text())
    tasks = specification["root"]["dag"]["tasks"]
    for name in (*UNCACHED_NODES, *READ_AT_RUN_TIME):
        tasks[name]["cachingOptions"] = {}
    return specification


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line and writes the YAML file."""
    parser = argparse.ArgumentParser(description="Compiles a recipe for Kubeflow Pipelines.")
    parser.add_argument("--config", default="configs/digits.yaml", help="the recipe")
    parser.add_argument("--image", required=True, help="container image with this project in it")
    parser.add_argument("--root", required=True, help="pipeline root, such as s3://bucket/digits")
    parser.add_argument("--output", default="pipeline.yaml", help="the file to write")
    options = parser.parse_args(arguments)
    try:
        recipe = load_recipe(Path(options.config))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    specification = compile_recipe(recipe, options.image, options.root)
    Path(options.output).write_text(yaml.safe_dump(specification, sort_keys=True))
    print(f"wrote {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

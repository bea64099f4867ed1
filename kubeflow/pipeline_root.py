"""Where a pipeline on a cluster keeps its artifacts."""

import re
from typing import Final

from darkroom.recipe import ConfigError

_ROOT: Final = re.compile(r"(gs|s3|minio)://[^/?]+(/[^?]*)?(\?.+)?")


def check_root(root: str) -> None:
    """Raises ConfigError for a root that is in no object store which Kubeflow's launcher knows."""
    if not _ROOT.fullmatch(root):
        raise ConfigError(
            f"--root: {root!r} is no folder of an object store, and Kubeflow Pipelines keeps "
            "artifacts nowhere else; give s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or "
            "minio://BUCKET/FOLDER"
        )

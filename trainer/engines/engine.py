"""The seam between the pipeline and what trains: a job in, a trained network out.

An engine is a folder beside this file and an entry in `ENGINES`.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from darkroom.serving.signatures import Network
from darkroom.trainer.cluster import ALONE, Cluster
from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.history import History
from darkroom.transform.config import TransformConfig


@dataclass(frozen=True)
class Job:
    """One training.

    Args:
        classes: Names of the classes; a label is an index into them.
        transform: The recipe's `transform` section; how images are decoded.
        train_files: Globs of TFRecord files, for `darkroom.trainer.examples`.
        eval_files: Likewise; what decides which epoch's weights are kept.
        folder: Where logs may go.
        cluster: Who trains; every worker gets the same job but for its number.
    """

    config: TrainerConfig
    classes: tuple[str, ...]
    transform: TransformConfig
    train_files: tuple[str, ...]
    eval_files: tuple[str, ...]
    folder: Path
    cluster: Cluster = ALONE

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.transform.image_height, self.transform.image_width, 3


class TrainedNetwork(NamedTuple):
    """What a training leaves.

    Attributes:
        network: What is exported: uint8 images [N, H, W, 3] to float32 probabilities [N, C] and
            embedding [N, D].
    """

    network: Network
    history: History


class Engine(Protocol):
    """What trains."""

    def check_weights(self, config: TrainerConfig, image_shape: tuple[int, int, int]) -> None:
        """Does what `train` will do to have its first weights; WeightsError where that fails."""

    def train(self, job: Job) -> TrainedNetwork:
        """Does the job, in a cluster this worker's part of it; TrainerError where it cannot."""


ENGINES: Final[Mapping[str, str]] = MappingProxyType(
    {"keras": "darkroom.trainer.engines.keras.engine.KerasEngine"}
)
"""Name to class. As text, so that only the engine that trains is imported."""


def load_engine(name: str = "keras") -> Engine:
    """The engine of that name."""
    module, _, kind = ENGINES[name].rpartition(".")
    return getattr(importlib.import_module(module), kind)()

"""What the clients of both protocols share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from serving.client.prediction import INPUT, Prediction, read_predictions

Client = TypeVar("Client", bound="ModelClient")


class ModelClient(ABC):
    """Asks one model; use it in a `with` statement, or close it."""

    def __enter__(self: Client) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Closes the connections."""

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """Classifies encoded images, one prediction for each.

        Raises:
            ClientError: The server gives no usable answer.
        """
        if not images:
            return []
        return read_predictions(self._classify({INPUT: list(images)}), len(images))

    @abstractmethod
    def _classify(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Calls `serving_default`; returns at least its outputs that a prediction needs."""

"""What the clients of both protocols share."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from darkroom.serving.client.concurrency import map_in_order, split
from darkroom.serving.client.errors import AnswerError, ClientError, ClosedError, UnavailableError
from darkroom.serving.client.examples import ClassScore, Example
from darkroom.serving.client.prediction import INPUT, Prediction, read_predictions
from darkroom.serving.client.retry import RetryPolicy, call_with_retries
from darkroom.serving.client.signatures import Signature
from darkroom.serving.client.startup import PAUSE_SECONDS, Startup
from darkroom.serving.client.target import ModelVersionStatus, Target

Client = TypeVar("Client", bound="ModelClient")
Result = TypeVar("Result")

_ONCE: Final = RetryPolicy(attempts=1)


class ModelClient(ABC):
    """Asks one model; use it in a `with` statement, or close it. Safe to use from many threads.

    Args:
        address: The server, as errors name it.
        target: The model, or just its name.
        timeout_seconds: Seconds for one call, its retries included.
        retry: How to try again while the server is unavailable.

    Raises:
        ClientError: In each method that asks, where the server gives no usable answer.
        ValueError: A time limit that leaves no time.
    """

    def __init__(
        self, address: str, target: Target | str, timeout_seconds: float, retry: RetryPolicy | None
    ) -> None:
        if not timeout_seconds > 0:
            raise ValueError(f"timeout_seconds is {timeout_seconds:g}; use more than 0")
        self.address = address
        self.target = Target(target) if isinstance(target, str) else target
        self._timeout_seconds = timeout_seconds
        self._retry = retry or RetryPolicy()
        self._closing = threading.Event()
        self._startup: Startup | None = None

    def __enter__(self: Client) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; calls under way in other threads end with ClosedError."""
        self._closing.set()
        self._disconnect()

    def wait_for_start(self, seconds: float, report: Callable[[str], None]) -> None:
        """Has calls wait for a server that is starting, until one of them is answered.

        Args:
            seconds: How long to wait, from now on; beyond the time that a call has otherwise.
            report: Takes one line that says so, where there is something to wait for.
        """
        self._startup = Startup(seconds, report) if seconds > 0 else None

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """Classifies encoded images in one request, one prediction for each."""
        if not images:
            return []
        outputs = self._classify_images({INPUT: list(images)})
        try:
            return read_predictions(outputs, len(images))
        except AnswerError as error:
            raise AnswerError(f"{self.address}: {error}") from None

    def predict_many(
        self, images: Iterable[bytes], batch_size: int = 32, concurrency: int = 4
    ) -> Iterator[Prediction]:
        """Classifies any number of encoded images, in their order.

        Takes images as it goes: no more than `2 * concurrency * batch_size` are held at a time.

        Args:
            images: Encoded images; may be a generator.
            batch_size: Images in one request.
            concurrency: Requests at a time.

        Raises:
            ClientError: When the turn of a request's images comes. What follows is not asked.
            ValueError: A number less than 1.
        """
        if batch_size < 1 or concurrency < 1:
            raise ValueError(f"batch_size {batch_size}, concurrency {concurrency}: use 1 or more")
        results = map_in_order(self.predict, split(images, batch_size), concurrency)
        return (prediction for batch in results for prediction in batch)

    @abstractmethod
    def predict_raw(
        self, inputs: Mapping[str, Any], signature_name: str = ""
    ) -> dict[str, np.ndarray]:
        """Calls any signature; see the subclasses for the types."""

    def classify(
        self,
        examples: Sequence[Example],
        signature_name: str = "",
        context: Example | None = None,
    ) -> list[list[ClassScore]]:
        """Calls a signature for classification.

        Args:
            examples: One mapping an example: feature name to value, list or array. Floats,
                integers (bool too), and text or bytes are the three kinds of feature.
            signature_name: Name of the signature; empty means `serving_default`.
            context: Features that all examples share.

        Returns:
            The classes of each example, in the model's order.

        Raises:
            ValueError: A value that no feature can have.
        """
        return self._read_classes(self._ask_examples("classify", examples, signature_name, context))

    def regress(
        self,
        examples: Sequence[Example],
        signature_name: str = "",
        context: Example | None = None,
    ) -> list[float]:
        """Calls a signature for regression, as `classify` does; returns a number an example."""
        return self._read_numbers(self._ask_examples("regress", examples, signature_name, context))

    @abstractmethod
    def get_status(self) -> list[ModelVersionStatus]:
        """Returns the states of the model's versions."""

    @abstractmethod
    def get_signatures(self) -> dict[str, Signature]:
        """Returns the model's signatures by name."""

    @abstractmethod
    def _classify_images(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Calls `serving_default`; returns at least its outputs that a prediction needs."""

    @abstractmethod
    def _ask_examples(
        self, verb: str, examples: Sequence[Example], signature_name: str, context: Example | None
    ) -> Any:
        """Calls a signature by `classify` or `regress`; returns the results as they come."""

    @abstractmethod
    def _read_classes(self, results: Any) -> list[list[ClassScore]]:
        """Returns the classes of each example."""

    @abstractmethod
    def _read_numbers(self, results: Any) -> list[float]:
        """Returns the number of each example."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Closes the connections, under other threads' feet if need be."""

    def _call_with_retries(self, attempt: Callable[[float], Result]) -> Result:
        startup = self._startup
        while startup is not None:
            try:
                result = self._call_by(_ONCE, attempt)
            except UnavailableError as error:
                if not startup.allows_wait(error):
                    break
                self._pause(max(PAUSE_SECONDS, error.retry_after_seconds or 0.0))
            except ClientError:
                self._startup = None
                raise
            else:
                self._startup = None
                return result
        return self._call_by(self._retry, attempt)

    def _call_by(self, policy: RetryPolicy, attempt: Callable[[float], Result]) -> Result:
        return call_with_retries(attempt, self._timeout_seconds, policy, pause=self._pause)

    def _pause(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise ClosedError(f"{self.address}: the client is closed")

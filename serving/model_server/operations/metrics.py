"""The metrics of one server, by TensorFlow Serving's names and labels.

A dashboard made for TensorFlow Serving reads them as they are. What that server has no metric for
is named `darkroom_…`; memory, CPU and open files of the process are `process_…`, as in every other
Python program.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.operations.exposition import (
    Counter,
    Gauge,
    Histogram,
    Labels,
    exponential_bounds,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LATENCY_BOUNDS: Final = exponential_bounds(10, 1.8, 33)
"""Microseconds, up to about 20 minutes."""
QUEUE_BOUNDS: Final = exponential_bounds(100, 1.2, 52)
"""Microseconds, up to about one second."""
SIZE_BOUNDS: Final = exponential_bounds(1, 2, 14)
"""Rows."""

MAX_UNKNOWN_NAMES: Final = 100
MAX_NAME_LENGTH: Final = 256
OTHER_NAME: Final = "(other)"
"""Stands for the names that requests make up once there are too many of them."""
MAX_PATHS: Final = 100
"""Version folders whose loading is remembered; a server that runs for months sees thousands."""

RUNTIME: Final = "TF1"
"""What TensorFlow Serving calls the runtime that is not TFRT, whatever made the SavedModel."""
_COUNTED_GRPC: Final = frozenset({"Predict", "Classify", "Regress", "MultiInference"})
# Of a REST request, TensorFlow Serving takes the verb out of the URL, which others do not have.
_REST_VERBS: Final = {"Predict": "predict", "Classify": "classify", "Regress": "regress"}

ReadStates = Callable[[], Iterable[tuple[str, int, str]]]
"""Returns model name, version and state of every version."""


class Metrics:
    """Counts what one server does; safe to use from any thread.

    Observing takes a few microseconds and never raises. Requests may name any model, so names of
    models that were never loaded are kept up to a limit, and counted together beyond it.
    """

    def __init__(self) -> None:
        self._served: set[str] = set()
        self._unknown: set[str] = set()
        self._lock = threading.Lock()
        self._in_flight = {"REST": 0, "GRPC": 0}
        self._read_states: ReadStates = tuple
        self._batch_threads = ""
        self._create_request_metrics()
        self._create_model_metrics()
        self._create_batch_metrics()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    def _create_request_metrics(self) -> None:
        prefix = ":tensorflow:serving:"
        self._requests = Counter(f"{prefix}request_count", ("model_name", "status"))
        self._latency = Histogram(
            f"{prefix}request_latency", ("model_name", "API", "entrypoint"), LATENCY_BOUNDS
        )
        self._runtime = Histogram(
            f"{prefix}runtime_latency", ("model_name", "API", "runtime"), LATENCY_BOUNDS
        )
        self._logged = Counter(f"{prefix}request_log_count", ("model_name", "status_code"))
        self._dropped = Counter("darkroom_log_dropped_total", ("log",))
        self._waiting = Gauge("darkroom_requests_in_flight", ("entrypoint",), self._read_in_flight)

    def _create_model_metrics(self) -> None:
        prefix = ":tensorflow:cc:saved_model:"
        self._loads = Counter(f"{prefix}load_attempt_count", ("model_path", "status"), MAX_PATHS)
        self._load_time = Counter(f"{prefix}load_latency", ("model_path",), MAX_PATHS)
        prefix = ":tensorflow:serving:model_warmup_"
        labels = ("model_path", "status")
        self._warmup = Histogram(f"{prefix}latency", labels, LATENCY_BOUNDS, MAX_PATHS)
        self._warmup_records = Counter(f"{prefix}records_read", labels, MAX_PATHS)
        self._states = Gauge(
            "darkroom_model_version_state", ("model_name", "version", "state"), self._list_states
        )

    def _create_batch_metrics(self) -> None:
        prefix = ":tensorflow:serving:batching_session:"
        self._queue_time = Histogram(
            f"{prefix}queuing_latency", ("thread_pool_name",), QUEUE_BOUNDS
        )
        self._runs = Counter(f"{prefix}wrapped_run_count", ())
        self._input_sizes = Histogram(f"{prefix}input_batch_size", (), SIZE_BOUNDS)
        self._batch_sizes = Histogram(f"{prefix}processed_batch_size", (), SIZE_BOUNDS)
        self._padding = Histogram(f"{prefix}padding_size", ("execution_batch_size",), SIZE_BOUNDS)

    def observe_request(
        self, api: str, entrypoint: str, model_name: str, code: Code, seconds: float
    ) -> None:
        """Counts one request that has been answered, and how long that took if it is OK.

        Args:
            api: "Predict", "Classify", …; "" where the request is of no method.
            entrypoint: "REST" or "GRPC".
            seconds: Time from its first byte to its answer.
        """
        if entrypoint == "REST":
            api = _REST_VERBS.get(api, "")
        elif api not in _COUNTED_GRPC:
            # TensorFlow Serving counts no status and metadata calls here.
            return
        name = self._bound_name(model_name)
        self._requests.add((name, code.name))
        if code is Code.OK:
            self._latency.observe((name, api, entrypoint), seconds * 1e6)

    def observe_runtime(self, model_name: str, api: str, seconds: float) -> None:
        """Counts one run of a model, from giving the inputs to having the outputs."""
        self._runtime.observe((model_name, api, RUNTIME), seconds * 1e6)

    def observe_batch(
        self,
        processed_batch_size: int,
        padding: int,
        queue_seconds_per_task: Sequence[float],
        input_batch_sizes: Sequence[int] = (),
    ) -> None:
        """Counts one batch.

        Args:
            processed_batch_size: Rows that the model was given, with padding.
            padding: How many of them no request asked for.
            queue_seconds_per_task: For each request in the batch, how long it waited.
            input_batch_sizes: For each request in the batch, its rows.
        """
        self._runs.add(())
        self._batch_sizes.observe((), processed_batch_size)
        self._padding.observe((str(processed_batch_size),), padding)
        self._input_sizes.observe((), *input_batch_sizes)
        self._queue_time.observe(
            (self._batch_threads,), *(seconds * 1e6 for seconds in queue_seconds_per_task)
        )

    def name_batch_threads(self, name: str) -> None:
        """Sets the name under which the queue of the batches is measured."""
        self._batch_threads = name

    def observe_load(self, model_name: str, model_path: str, seconds: float, ok: bool) -> None:
        """Counts one attempt to load the version in a folder, and whether it succeeded."""
        self._served.add(model_name)
        self._loads.add((model_path, "success" if ok else "fail"))
        if ok:
            self._load_time.add((model_path,), round(seconds * 1e6))

    def observe_warmup(self, model_path: str, seconds: float, records: int, code: Code) -> None:
        """Counts one warm-up of the version in a folder, by so many requests, and how it ended."""
        labels = (model_path, code.name)
        self._warmup.observe(labels, seconds * 1e6)
        self._warmup_records.add(labels, records)

    def observe_log(self, model_name: str, code: Code) -> None:
        """Counts one request that was chosen for the request log, and whether it was written."""
        self._logged.add((self._bound_name(model_name), code.name))

    def observe_dropped_log(self, log: str) -> None:
        """Counts one request that the "access" or the "request" log had no room for."""
        self._dropped.add((log,))

    def begin_request(self, entrypoint: str) -> None:
        """Counts a request of "REST" or "GRPC" that is being answered."""
        with self._lock:
            self._in_flight[entrypoint] += 1

    def end_request(self, entrypoint: str) -> None:
        """Counts it no more."""
        with self._lock:
            self._in_flight[entrypoint] -= 1

    def watch_states(self, read_states: ReadStates) -> None:
        """Sets where the states of all versions are read when metrics are written."""
        self._read_states = read_states

    def read_count(self, name: str) -> int:
        """Returns the sum of a counter over all its labels; 0 where there is no such counter.

        The name is as TensorFlow has it, "/tensorflow/serving/request_count".
        """
        exported = name.replace("/", ":")
        counters = (metric for metric in self._list_metrics() if isinstance(metric, Counter))
        return sum(counter.read_total() for counter in counters if counter.name == exported)

    def render(self) -> bytes:
        """Returns all metrics in Prometheus' text format; takes about a millisecond."""
        lines = chain.from_iterable(metric.write() for metric in self._list_metrics())
        return "\n".join([*lines, ""]).encode("utf-8", "replace") + generate_latest(self._process)

    def _list_metrics(self) -> list[Counter | Gauge | Histogram]:
        parts = vars(self).values()
        return [part for part in parts if isinstance(part, Counter | Gauge | Histogram)]

    def _bound_name(self, model_name: str) -> str:
        if model_name in self._served or model_name in self._unknown:
            return model_name
        if len(self._unknown) >= MAX_UNKNOWN_NAMES or len(model_name) > MAX_NAME_LENGTH:
            return OTHER_NAME
        self._unknown.add(model_name)
        return model_name

    def _read_in_flight(self) -> list[tuple[Labels, float]]:
        with self._lock:
            return [((entrypoint,), count) for entrypoint, count in self._in_flight.items()]

    def _list_states(self) -> list[tuple[Labels, float]]:
        return [((name, str(version), state), 1) for name, version, state in self._read_states()]

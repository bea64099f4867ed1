"""What is remembered of one request, and who is told when it has been answered."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from darkroom.serving.model_server.errors import Code
from darkroom.serving.model_server.operations.access_log import AccessLog
from darkroom.serving.model_server.operations.metrics import NO_METRICS, Metrics


@dataclass(slots=True)
class RequestRecord:
    """What is known of one request so far; filled in on its way.

    Attributes:
        entrypoint: "REST" or "GRPC".
        api: Method as in TensorFlow Serving's services: "Predict", "Classify", "Regress",
            "MultiInference", "GetModelMetadata", "GetModelStatus", "HandleReloadConfigRequest". ""
            for a request to the API that is of no method, None for one outside the API (which is
            logged, yet not counted).
        model_name: Name that the request gave.
        version: Number of the version that answered.
        signature_name: Name of the signature.
        code: Code of the answer.
        http_status: Status of the answer; None for gRPC.
        request_bytes: Size of the request's body.
        response_bytes: Size of the answer's body.
        peer: Address of the caller.
        request_id: The caller's name for the request, from `x-request-id`.
        started: When the request came, by `time.perf_counter`.
    """

    entrypoint: str
    api: str | None = None
    model_name: str = ""
    version: int | None = None
    signature_name: str = ""
    code: Code = Code.OK
    http_status: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    peer: str = ""
    request_id: str | None = None
    started: float = field(default_factory=time.perf_counter)


_CURRENT: Final[ContextVar[RequestRecord | None]] = ContextVar("request", default=None)


def find_current_record() -> RequestRecord | None:
    """Returns the record of the request that the caller's task answers; None outside of one."""
    return _CURRENT.get()


class Observer:
    """Tells the metrics and the access log about each request; never raises.

    A transport calls `begin` when a request comes, fills in the record with whoever answers it,
    and calls `end` once, also when the caller has gone.

    Args:
        metrics: Counts requests.
        access_log: Writes one line a request; None writes none.
    """

    def __init__(self, metrics: Metrics = NO_METRICS, access_log: AccessLog | None = None) -> None:
        self.metrics = metrics
        self._access_log = access_log

    def begin(
        self, entrypoint: str, peer: str = "", request_id: str | None = None
    ) -> RequestRecord:
        """Returns the record of a request that has just come.

        It is the current one of the calling task, and of the tasks that this one makes next.

        Args:
            entrypoint: "REST" or "GRPC".
            peer: Address of the caller.
            request_id: The caller's name for the request.
        """
        self.metrics.begin_request(entrypoint)
        record = RequestRecord(entrypoint, peer=peer, request_id=request_id)
        _CURRENT.set(record)
        return record

    def end(self, record: RequestRecord) -> None:
        """Passes on a request that has been answered, or whose caller has gone."""
        self.metrics.end_request(record.entrypoint)
        seconds = time.perf_counter() - record.started
        if record.api is not None:
            self.metrics.observe_request(
                record.api, record.entrypoint, record.model_name, record.code, seconds
            )
        if self._access_log is not None:
            self._access_log.write(record, seconds)

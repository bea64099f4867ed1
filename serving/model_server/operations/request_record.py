"""What is remembered of one request."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from darkroom.serving.model_server.deadlines import NO_DEADLINE
from darkroom.serving.model_server.errors import Code


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
        http_status: Status of the answer; None for gRPC.
        peer: Address of the caller.
        request_id: The caller's name for the request, from `x-request-id`.
        deadline: When nobody waits for the answer any more.
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
    request_id: str = ""
    deadline: float = NO_DEADLINE
    started: float = field(default_factory=time.perf_counter)


CURRENT: Final[ContextVar[RequestRecord | None]] = ContextVar("request", default=None)
"""The record of the request that the present task answers; None outside of one."""


def find_deadline() -> float:
    """Returns the deadline of the request that the present task answers."""
    record = CURRENT.get()
    return record.deadline if record is not None else NO_DEADLINE

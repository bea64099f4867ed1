"""Who is told of a request when it comes, and when it has been answered."""

import time

from darkroom.serving.model_server.operations.access_log import AccessLog
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.request_record import CURRENT, RequestRecord


class Observer:
    """Tells the metrics and the access log about each request; never raises.

    A transport calls `begin` when a request comes, fills in the record with whoever answers it,
    and calls `end` once, also when the caller has gone.
    """

    def __init__(self, metrics: Metrics, access_log: AccessLog | None = None) -> None:
        self.metrics = metrics
        self._access_log = access_log

    def begin(self, record: RequestRecord) -> None:
        """Makes a request that has just come the one of this task, and of those it makes next."""
        self.metrics.begin_request(record.entrypoint)
        CURRENT.set(record)

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

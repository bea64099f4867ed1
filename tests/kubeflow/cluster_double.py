"""A small double of the Kubernetes API: one training job, its pods, logs and watches, on loopback.

It answers the calls that `darkroom.kubeflow.training_job` makes, with the status objects of
Kubernetes. It runs nothing: a test says what becomes of the job, one change for each watch.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

import kubernetes

Change = Callable[["Exchange"], None]


class Cluster:
    """What the double knows, and how it misbehaves.

    Attributes:
        job: The training job, as created; None: there is none.
        pods: Pods of the job.
        changes: What happens at each watch; none left: the watch ends without an event.
        refusals: Status and message by method and resource, each for one request.
        requests: Method and path of all requests.
        log: What the pods' containers wrote.
    """

    def __init__(self) -> None:
        self.job: dict[str, Any] | None = None
        self.pods: list[dict[str, Any]] = []
        self.changes: deque[Change] = deque()
        self.refusals: dict[tuple[str, str], deque[tuple[int, str]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.log = ""
        self.version = 1
        self.url = ""

    def refuse(self, method: str, resource: str, status: int, message: str, times: int = 1) -> None:
        self.refusals[method, resource] = deque([(status, message)] * times)

    def count(self, method: str, ending: str) -> int:
        return sum(m == method and path.endswith(ending) for m, path in self.requests)

    def api(self) -> kubernetes.client.ApiClient:
        configuration = kubernetes.client.Configuration()
        configuration.host = self.url
        configuration.retries = False
        return kubernetes.client.ApiClient(configuration)


class Exchange(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def log_message(self, format: str, *arguments: Any) -> None:
        """Writes nothing."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null") if length else None
        path, query = urlparse(self.path).path, parse_qs(urlparse(self.path).query)
        self.cluster.requests.append((self.command, path))
        watching = "watch" in query
        resource = next(r for r in ("log", "pods", "tfjobs") if f"/{r}" in path)
        waiting = self.cluster.refusals.get((self.command, "watch" if watching else resource))
        if waiting:
            self.refuse(*waiting.popleft())
        elif watching:
            self._watch()
        elif resource == "log":
            self.send(200, self.cluster.log.encode(), "text/plain")
        elif resource == "pods":
            self.give({"kind": "PodList", "apiVersion": "v1", "items": self.cluster.pods})
        else:
            self._job(body)

    do_GET = do_POST = do_DELETE = _answer

    def _job(self, body: dict[str, Any] | None) -> None:
        cluster = self.cluster
        if self.command == "POST" and cluster.job is None:
            assert body is not None
            cluster.job = body
            cluster.job["metadata"] |= {"uid": "1", "resourceVersion": "1"}
            self.give(cluster.job, 201)
        elif self.command == "POST":
            self.refuse(409, 'tfjobs.kubeflow.org "train" already exists')
        elif cluster.job is None:
            self.refuse(404, 'tfjobs.kubeflow.org "train" not found')
        elif self.command == "DELETE":
            cluster.job = None
            self.give({"kind": "Status", "status": "Success"})
        else:
            self.give(cluster.job)

    def _watch(self) -> None:
        if self.cluster.changes:
            self.cluster.changes.popleft()(self)
        else:
            self.send(200, b"")

    def give(self, content: Any, status: int = 200) -> None:
        self.send(status, json.dumps(content).encode())

    def refuse(self, status: int, message: str) -> None:
        self.give(
            {"kind": "Status", "status": "Failure", "code": status, "message": message}, status
        )

    def event(self, kind: str, content: Any) -> None:
        self.send(200, json.dumps({"type": kind, "object": content}).encode() + b"\n")

    def drop(self) -> None:
        """Breaks the connection in the middle of a line."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b'40\r\n{"type": "MODI')
        self.close_connection = True

    def send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def becomes(kind: str, message: str = "", pods: list[dict[str, Any]] | None = None) -> Change:
    """The job gets a condition, and the watch tells so."""

    def change(exchange: Exchange) -> None:
        cluster = exchange.cluster
        if cluster.job is None:
            exchange.send(200, b"")
            return
        if pods is not None:
            cluster.pods = pods
        cluster.version += 1
        cluster.job["metadata"]["resourceVersion"] = str(cluster.version)
        conditions = cluster.job.setdefault("status", {}).setdefault("conditions", [])
        conditions.append({"type": kind, "status": "True", "message": message})
        exchange.event("MODIFIED", cluster.job)

    return change


def pod(name: str, phase: str, owner: str = "1", **status: Any) -> dict[str, Any]:
    """A pod of the job whose uid is `owner`; the double gives its jobs the uid 1."""
    reference = {"apiVersion": "kubeflow.org/v1", "kind": "TFJob", "name": "train", "uid": owner}
    metadata = {"name": name, "ownerReferences": [reference]}
    return {"metadata": metadata, "status": {"phase": phase, **status}}


def container(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": "tensorflow",
            "image": "i",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": state,
        }
    ]


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A double that listens on loopback."""
    cluster = Cluster()
    handler = type("Bound", (Exchange,), {"cluster": cluster})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    cluster.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A double of Kubeflow Pipelines' API server, at the HTTP seam.

It is not Kubeflow: it keeps pipelines, experiments, runs and recurring runs in memory and runs
nothing. It speaks the paths of the v2beta1 REST API. What it is sent has to be a model of
`kfp_server_api`, and what it answers is one. Rules that it shares with the real server: names of
pipelines, versions and experiments are unique (409), those of runs and recurring runs are not;
comparison of names overlooks case; what is not there is 404; answers come in pages.
"""

import contextlib
import email
import json
import re
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import kfp_server_api

BASE = "/apis/v2beta1"
PAGE = 2
"""Things on a page, whatever the client asks for: every list has several."""

TRANSIENT = ("500", "429", "500 after", "lost", "lost after", "half", "slow", "late")
"""Faults after which another try does it.

A number: answered with it, nothing done. `lost`: the connection ends without an answer. `after`:
the request was carried out. `half`: carried out, and the answer breaks off. `slow`: carried out,
and no answer as long as the client waits. `late`: lost, and carried out just before the next POST.
"""
PERMANENT = ("401", "403", "404")


class _Data(NamedTuple):
    data: str


class Sent(NamedTuple):
    """A request that came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


@dataclass
class ApiDouble:
    """What the server holds.

    Attributes:
        token: Without this bearer token everything is 401; empty: nobody is asked.
        cookie: Likewise.
        multi_user: What healthz says.
        faults: Number of a request, from 0, to what is wrong with it.
        always: What is wrong with all requests from this number on, as (number, fault).
        story: What each look at a run shows, in turn; the last stays.
        pushed: Custom properties of Pusher's artifact in ML Metadata; None: there is no such
            service at this address.
        page: Sent instead of anything, as (status, headers, content).
    """

    token: str = ""
    cookie: str = ""
    multi_user: bool = False
    faults: dict[int, str] = field(default_factory=dict)
    always: tuple[int, str] | None = None
    story: list[dict[str, Any]] = field(default_factory=lambda: [{"state": "SUCCEEDED"}])
    pushed: dict[str, Any] | None = None
    page: tuple[int, dict[str, str], bytes] | None = None
    sent: list[Sent] = field(default_factory=list)
    kept: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    url: str = ""

    def __post_init__(self) -> None:
        self._models = kfp_server_api.ApiClient(kfp_server_api.Configuration())
        self._lock = threading.Lock()
        self._late: list[Sent] = []
        self._looks = 0
        self._count = 0

    def all(self, kind: str) -> list[dict[str, Any]]:
        """What there is of a kind: pipelines, versions, experiments, runs, recurringruns."""
        return list(self.kept.get(kind, {}).values())

    def enabled(self) -> list[dict[str, Any]]:
        """Recurring runs that are switched on."""
        return [item for item in self.all("recurringruns") if item["status"] == "ENABLED"]

    def forget_requests(self) -> None:
        """Counts requests from 0 again."""
        self.sent.clear()

    def receive(self, request: Sent) -> tuple[str, Any]:
        """Handles a request; returns the fault to show, and the answer or the refusal."""
        with self._lock:
            number = len(self.sent)
            self.sent.append(request)
            fault = self.faults.get(number, "")
            if self.always and number >= self.always[0]:
                fault = self.always[1]
            if request.method == "POST":
                while self._late:
                    self.carry_out(self._late.pop())
            if fault == "late":
                self._late.append(request)
            if fault.isdecimal():
                return fault, Refusal(int(fault), "injected")
            if fault in ("lost", "late"):
                return fault, None
            return fault, self.carry_out(request)

    def carry_out(self, request: Sent) -> Any:
        """Does what a request asks for; returns the answer or the refusal."""
        try:
            self._admit(request)
            if request.path.startswith("/ml_metadata"):
                return self._answer_metadata(request)
            for method, pattern, handle in self._routes():
                match = re.fullmatch(BASE + pattern, request.path)
                if match and method == request.method:
                    return handle(request, *match.groups())
            raise Refusal(404, f"no {request.method} {request.path}")
        except Refusal as refusal:
            return refusal

    def _admit(self, request: Sent) -> None:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, f"unauthorized: {request.headers.get('authorization')}")
        if self.cookie and request.headers.get("cookie") != self.cookie:
            raise Refusal(401, "unauthorized")

    def _routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            ("GET", "/healthz", self._health),
            ("GET", "/pipelines/names/([^/]+)", self._find_pipeline),
            ("POST", "/pipelines", self._create_pipeline),
            ("POST", "/pipelines/upload_version", self._upload),
            ("GET", "/pipelines/([^/]+)/versions", self._list_versions),
            ("GET", "/experiments", self._list_experiments),
            ("POST", "/experiments", self._create_experiment),
            ("GET", "/runs", self._list_runs),
            ("POST", "/runs", self._create_run),
            ("GET", "/runs/([^/]+)", self._look_at_run),
            ("DELETE", "/runs/([^/]+)", self._delete("runs")),
            ("GET", "/recurringruns", self._list_recurring_runs),
            ("POST", "/recurringruns", self._create_recurring_run),
            ("DELETE", "/recurringruns/([^/]+)", self._delete("recurringruns")),
        ]

    def _health(self, request: Sent) -> Any:
        return self._model("V2beta1GetHealthzResponse", {"multi_user": self.multi_user})

    def _find_pipeline(self, request: Sent, name: str) -> Any:
        for item in self.all("pipelines"):
            if item["display_name"] == name:
                return self._model("V2beta1Pipeline", item)
        raise Refusal(404, f"pipeline {name} not found")

    def _create_pipeline(self, request: Sent) -> Any:
        body = self._read("V2beta1Pipeline", request)
        return self._keep("pipelines", "pipeline_id", "V2beta1Pipeline", body, "display_name")

    def _upload(self, request: Sent) -> Any:
        owner = request.query["pipelineid"]
        if owner not in self.kept.get("pipelines", {}):
            raise Refusal(400, "no such pipeline")
        head = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
        whole = email.message_from_bytes(head + request.content)
        (part,) = [part for part in whole.walk() if not part.is_multipart()]
        assert 'name="uploadfile"' in part["Content-Disposition"]
        body = {"display_name": request.query["name"], "pipeline_id": owner}
        key, model = "pipeline_version_id", "V2beta1PipelineVersion"
        kept = self._keep("versions", key, model, body, "pipeline_id", "display_name")
        self.uploads[request.query["name"]] = bytes(part.get_payload(decode=True))
        return kept

    def _list_versions(self, request: Sent, owner: str) -> Any:
        return self._page(
            request,
            [item for item in self.all("versions") if item["pipeline_id"] == owner],
            "V2beta1ListPipelineVersionsResponse",
            "pipeline_versions",
        )

    def _list_experiments(self, request: Sent) -> Any:
        return self._page(
            request,
            self.all("experiments"),
            "V2beta1ListExperimentsResponse",
            "experiments",
        )

    def _create_experiment(self, request: Sent) -> Any:
        body = self._read("V2beta1Experiment", request)
        return self._keep("experiments", "experiment_id", "V2beta1Experiment", body, "display_name")

    def _list_runs(self, request: Sent) -> Any:
        found = self._of_experiment("runs", request)
        return self._page(request, found, "V2beta1ListRunsResponse", "runs")

    def _create_run(self, request: Sent) -> Any:
        body = self._read("V2beta1Run", request)
        self._check_job(body)
        return self._keep("runs", "run_id", "V2beta1Run", body)

    def _look_at_run(self, request: Sent, run_id: str) -> Any:
        run = self._find("runs", run_id)
        seen = self.story[min(self._looks, len(self.story) - 1)]
        self._looks += 1
        return self._model("V2beta1Run", {**run, **seen})

    def _list_recurring_runs(self, request: Sent) -> Any:
        found = self._of_experiment("recurringruns", request)
        return self._page(request, found, "V2beta1ListRecurringRunsResponse", "recurringRuns")

    def _create_recurring_run(self, request: Sent) -> Any:
        body = self._read("V2beta1RecurringRun", request)
        self._check_job(body)
        if not body.get("trigger") or not 1 <= int(body["max_concurrency"]) <= 10:
            raise Refusal(400, "max_concurrency or trigger out of range")
        body["status"] = {"ENABLE": "ENABLED", "DISABLE": "DISABLED"}[body["mode"]]
        return self._keep("recurringruns", "recurring_run_id", "V2beta1RecurringRun", body)

    def _check_job(self, body: dict[str, Any]) -> None:
        if body["experiment_id"] not in self.kept.get("experiments", {}):
            raise Refusal(400, "no such experiment")
        reference = body.get("pipeline_version_reference")
        if reference and reference["pipeline_version_id"] not in self.kept.get("versions", {}):
            raise Refusal(400, "no such pipeline version")

    def _keep(self, kind: str, key: str, model: str, body: dict[str, Any], *unique: str) -> Any:
        """Keeps a thing, unless there is one with the same values of what is unique."""
        kept = self.kept.setdefault(kind, {})
        for item in kept.values() if unique else ():
            if all(item.get(name) == body.get(name) for name in unique):
                raise Refusal(409, f"{body['display_name']} already exists")
        self._count += 1
        identifier = f"{kind}-{self._count:04}"
        created = f"2026-11-20T10:00:{self._count % 60:02}Z"
        kept[identifier] = {**body, key: identifier, "created_at": created}
        return self._model(model, kept[identifier])

    def _find(self, kind: str, identifier: str) -> dict[str, Any]:
        try:
            return self.kept[kind][identifier]
        except KeyError:
            raise Refusal(404, f"{identifier} not found") from None

    def _delete(self, kind: str) -> Callable[..., Any]:
        def delete(request: Sent, identifier: str) -> dict[str, Any]:
            self._find(kind, identifier)
            del self.kept[kind][identifier]
            return {}

        return delete

    def _of_experiment(self, kind: str, request: Sent) -> list[dict[str, Any]]:
        wanted = request.query.get("experiment_id")
        return [item for item in self.all(kind) if wanted in (None, item["experiment_id"])]

    def _page(self, request: Sent, found: list[Any], model: str, name: str) -> Any:
        chosen = json.loads(request.query.get("filter") or '{"predicates": []}')
        for predicate in chosen["predicates"]:
            assert predicate["operation"] in ("EQUALS", 1) and predicate["key"] == "display_name"
            text = predicate.get("string_value") or predicate["stringValue"]
            found = [item for item in found if item["display_name"].lower() == text.lower()]
        start = int(request.query.get("page_token") or 0)
        token = str(start + PAGE) if start + PAGE < len(found) else ""
        page = {name: found[start : start + PAGE], "next_page_token": token}
        return self._model(model, page)

    def _read(self, model: str, request: Sent) -> dict[str, Any]:
        """The body, which must hold nothing but fields of the model."""
        assert request.headers["content-type"] == "application/json"
        content = json.loads(request.content)
        known = set(getattr(kfp_server_api, model).attribute_map.values())
        if unknown := set(content) - known:
            raise Refusal(400, f"unknown fields {unknown}")
        read: dict[str, Any] = self._model(model, content)
        return read

    def _model(self, model: str, content: dict[str, Any]) -> Any:
        """The JSON that `kfp_server_api` makes of the model that it reads from this."""
        read = self._models.deserialize(_Data(json.dumps(content)), model)
        return self._models.sanitize_for_serialization(read)

    def _answer_metadata(self, request: Sent) -> bytes:
        from ml_metadata.proto import metadata_store_service_pb2 as service

        if self.pushed is None:
            raise Refusal(404, "no such service")
        method = request.path.rpartition("/")[2]
        flags, length = struct.unpack(">BI", request.content[:5])
        assert flags == 0 and length == len(request.content) - 5
        asked = getattr(service, f"{method}Request").FromString(request.content[5:])
        answer = getattr(service, f"{method}Response")()
        if method == "GetContextByTypeAndName":
            if asked.type_name == "system.PipelineRun" and asked.context_name in self.kept["runs"]:
                answer.context.id = 7
        else:
            assert asked.context_id == 7
            answer.artifacts.add().custom_properties["examples_train"].double_value = 3
            properties = answer.artifacts.add().custom_properties
            for name, value in self.pushed.items():
                # As the launcher does it: text, or a double.
                if isinstance(value, str):
                    properties[name].string_value = value
                else:
                    properties[name].double_value = value
        message = answer.SerializeToString()
        trailers = b"grpc-status: 0\r\n"
        frames = struct.pack(">BI", 0, len(message)) + message
        return frames + struct.pack(">BI", 0x80, len(trailers)) + trailers


@contextlib.contextmanager
def serve(double: ApiDouble, context: ssl.SSLContext | None = None) -> Iterator[ApiDouble]:
    """Serves a double on loopback until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _create_handler(double))
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if context else "http"
    double.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _create_handler(double: ApiDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Sent(self.command, parts.path, query, headers, content)
            fault, answer = double.receive(request)
            if fault == "slow":
                # Ends when the client hangs up.
                self.connection.recv(1)
            if fault in ("slow", "lost", "late", "lost after"):
                self.close_connection = True
                return
            if fault == "500 after":
                answer = Refusal(500, "injected")
            self.answer(answer, is_half=fault == "half")

        do_GET = do_POST = do_DELETE = handle_any

        def answer(self, answer: Any, is_half: bool) -> None:
            status = 200
            headers = {"Content-Type": "application/json"}
            if isinstance(answer, Refusal):
                status = answer.status
                answer = {"error": str(answer), "code": 5, "message": str(answer), "details": []}
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            if double.page:
                status, headers, content = double.page
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if is_half else content)
            self.close_connection = is_half

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler

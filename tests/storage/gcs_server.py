"""A double of Google Cloud Storage for tests: the part of its JSON API v1 that gcsfs asks.

It answers as Google documents it: the reference of buckets and objects, "Perform resumable
uploads", and "HTTP status and error codes for JSON". It is a double, neither Google's code nor
its behaviour under load. It knows no credentials, no versions of objects but the newest, no
condition but ifGenerationMatch, no batches (gcsfs sends none to emulators), rewrites objects at
once, and does not compose or patch them; what it does not know, it answers with 501.
"""

import base64
import hashlib
import itertools
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote

import google_crc32c
from werkzeug.exceptions import HTTPException, abort
from werkzeug.wrappers import Request, Response

from darkroom.tests.storage.disturbed_server import Answer, DisturbedServer, answer_first

PAGE = 50
"""The most objects of one answer; Google's is 1000."""

CHUNK_UNIT = 256 * 1024
"""All chunks of a resumable upload but the last have a multiple of these bytes."""

_PATH = re.compile(r"/(?:(upload|download)/)?storage/v1/b/([^/]+)(/o(?:/([^/]+))?)?")
_REWRITE = re.compile(r"/storage/v1/b/([^/]+)/o/([^/]+)/rewriteTo/b/([^/]+)/o/([^/]+)")


class _Object(NamedTuple):
    content: bytes
    resource: dict[str, Any]


@dataclass
class _Session:
    """An upload, of one piece or of many."""

    bucket: str
    resource: dict[str, Any]
    condition: str | None
    content: bytearray = field(default_factory=bytearray)
    made: _Object | None = None


class GcsServer(DisturbedServer):
    """Buckets in memory."""

    def __init__(self) -> None:
        self._buckets: dict[str, dict[str, _Object]] = {}
        self._sessions: dict[str, _Session] = {}
        self._generations = itertools.count(time.time_ns() // 1000)
        super().__init__(lambda request, start: self._respond(Request(request))(request, start))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this server."""
        return {"STORAGE_EMULATOR_HOST": self.url}

    def create_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        self._buckets[name] = {}

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Content of all objects of a bucket, without asking over the network."""
        return {name: each.content for name, each in list(self._buckets[bucket].items())}

    def put(
        self, bucket: str, name: str, content: bytes, metadata: dict[str, str] | None = None
    ) -> _Object:
        """Stores an object under any name, without asking over the network."""
        generation = str(next(self._generations))
        when = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        resource = {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "name": name,
            "bucket": bucket,
            "generation": generation,
            "size": str(len(content)),
            "etag": _base64(generation.encode()),
            "md5Hash": _base64(hashlib.md5(content, usedforsecurity=False).digest()),
            "crc32c": _base64(google_crc32c.value(content).to_bytes(4, "big")),
            "timeCreated": when,
            "updated": when,
            **({"metadata": metadata} if metadata else {}),
        }
        self._buckets[bucket][name] = _Object(content, resource)
        return self._buckets[bucket][name]

    def _respond(self, request: Request) -> Response:
        rewrite = _REWRITE.fullmatch(request.environ["RAW_URI"].partition("?")[0])
        try:
            if rewrite:
                return self._rewrite(*(unquote(part) for part in rewrite.groups()))
            return self._route(request)
        except HTTPException as error:
            return Response.force_type(error.get_response())

    def _route(self, request: Request) -> Response:
        # Names hold slashes, which only the path as it was sent tells from its own.
        path = _PATH.fullmatch(request.environ["RAW_URI"].partition("?")[0])
        if not path:
            _fail(501, "notImplemented", request.path)
        kind, bucket, below, name = (unquote(part) for part in path.groups(""))
        if "upload_id" in request.args:
            return self._continue(request, request.args["upload_id"])
        if bucket not in self._buckets:
            _fail(404, "notFound", "The specified bucket does not exist.")
        match request.method, kind, bool(below), bool(name):
            case "GET", "", False, False:
                return _json({"kind": "storage#bucket", "id": bucket, "name": bucket})
            case "GET", "", True, False:
                return _json(self._list(bucket, request.args))
            case "GET", "", True, True:
                return _json(self._find(bucket, name).resource)
            case "GET", "download", True, True:
                return self._download(request, bucket, name)
            case "POST", "upload", True, False:
                return self._upload(request, bucket)
            case "DELETE", "", True, True:
                self._find(bucket, name)
                self._check(bucket, name, request.args.get("ifGenerationMatch"))
                del self._buckets[bucket][name]
                return Response(status=204)
        _fail(501, "notImplemented", f"{request.method} {request.path}")

    def _rewrite(self, bucket: str, name: str, target: str, new_name: str) -> Response:
        found = self._find(bucket, name)
        made = self.put(target, new_name, found.content, found.resource.get("metadata"))
        return _json({"kind": "storage#rewriteResponse", "done": True, "resource": made.resource})

    def _find(self, bucket: str, name: str) -> _Object:
        if name not in self._buckets[bucket]:
            _fail(404, "notFound", f"No such object: {bucket}/{name}")
        return self._buckets[bucket][name]

    def _check(self, bucket: str, name: str, condition: str | None) -> None:
        """Refuses where the generation is another; 0 stands for no object."""
        found = self._buckets[bucket].get(name)
        if condition is not None and condition != (found.resource["generation"] if found else "0"):
            _fail(412, "conditionNotMet", "At least one of the pre-conditions did not hold.")

    def _list(self, bucket: str, asked: Any) -> dict[str, Any]:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter") or "\0"
        entries: dict[str, _Object | None] = {}
        for name, each in self._buckets[bucket].items():
            folder, below, _ = name[len(prefix) :].partition(delimiter)
            if name.startswith(prefix):
                entries[prefix + folder + below] = None if below else each
        after = base64.urlsafe_b64decode(asked.get("pageToken", ""))
        left = sorted((key for key in entries if key.encode() > after), key=str.encode)
        page = left[: min(PAGE, int(asked.get("maxResults", PAGE)))]
        answer: dict[str, Any] = {
            "items": [found.resource for key in page if (found := entries[key])],
            "prefixes": [key for key in page if not entries[key]],
        }
        if len(page) < len(left):
            answer["nextPageToken"] = base64.urlsafe_b64encode(page[-1].encode()).decode()
        return {"kind": "storage#objects", **{key: it for key, it in answer.items() if it}}

    def _download(self, request: Request, bucket: str, name: str) -> Response:
        # What is no JSON otherwise is none where it fails.
        if name not in self._buckets[bucket]:
            return Response(f"No such object: {bucket}/{name}", 404)
        content, resource = self._buckets[bucket][name]
        hashes = f"crc32c={resource['crc32c']},md5={resource['md5Hash']}"
        headers = {"X-Goog-Hash": hashes, "X-Goog-Generation": resource["generation"]}
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if not span:
            return Response(content, 200, headers)
        start, end = int(span[1]), min(int(span[2] or len(content)) + 1, len(content))
        if start >= end:
            headers["Content-Range"] = f"bytes */{len(content)}"
            return Response("Request range not satisfiable", 416, headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        return Response(content[start:end], 206, headers)

    def _upload(self, request: Request, bucket: str) -> Response:
        condition = request.args.get("ifGenerationMatch")
        if request.args["uploadType"] == "multipart":
            resource, content = _parts(request)
            return self._finish(_Session(bucket, resource, condition), content)
        resource = {"name": request.args["name"], **request.get_json()}
        self._check(bucket, resource["name"], condition)
        session = uuid.uuid4().hex
        self._sessions[session] = _Session(bucket, resource, condition)
        return Response(headers={"Location": f"{request.url}&upload_id={session}"})

    def _finish(self, session: _Session, content: bytes) -> Response:
        name = session.resource["name"]
        self._check(session.bucket, name, session.condition)
        session.made = self.put(session.bucket, name, content, session.resource.get("metadata"))
        return _json(session.made.resource)

    def _continue(self, request: Request, name: str) -> Response:
        """Takes a chunk, by PUT as documented or by POST as gcsfs sends it."""
        if name not in self._sessions:
            _fail(404, "notFound", "Not Found")
        session = self._sessions[name]
        if request.method == "DELETE":
            del self._sessions[name]
            return Response(status="499 Client Closed Request")
        span = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", request.headers["Content-Range"])
        assert span
        chunk, there = request.get_data(), len(session.content)
        start = int(span[1] or there)
        ends = span[2] == str(start + len(chunk))
        if start > there or (len(chunk) % CHUNK_UNIT and not ends):
            _fail(400, "badRequest", f"Invalid request: {len(chunk)} bytes at {start}")
        session.content += chunk[there - start :]
        if not ends:
            headers = {"Range": f"bytes=0-{len(session.content) - 1}"} if session.content else {}
            return Response("", 308, headers)
        if session.made:
            return _json(session.made.resource)
        return self._finish(session, bytes(session.content))


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """Resource and content of a multipart upload."""
    boundary = b"--" + request.mimetype_params["boundary"].encode()
    newline = b"\r\n" if request.get_data().startswith(boundary + b"\r") else b"\n"
    _, resource, rest = request.get_data().split(boundary + newline, 2)
    content = rest.partition(newline * 2)[2].rpartition(newline + boundary + b"--")[0]
    return json.loads(resource.partition(newline * 2)[2]), content


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _json(answer: Any, status: int = 200) -> Response:
    return Response(json.dumps(answer), status, content_type="application/json; charset=UTF-8")


def _error(status: int, reason: str, message: str) -> Response:
    details = {"domain": "global", "reason": reason, "message": message}
    return _json({"error": {"code": status, "message": message, "errors": [details]}}, status)


def _fail(status: int, reason: str, message: str) -> NoReturn:
    abort(_error(status, reason, message))


def refuse(
    status: int, message: str = "told to", times: int = 10**9, method: str = "GET"
) -> Answer:
    """Answers the first requests of a method with an error of Google's."""
    return answer_first(times, method, _error(status, "toldTo", message))

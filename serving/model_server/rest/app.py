"""The ASGI application: from one HTTP request to its one answer."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from serving.model_server.errors import Code, StatusError
from serving.model_server.operations.observer import Observer, RequestRecord
from serving.model_server.rest.handler import TIMED_OUT, respond_error
from serving.model_server.rest.messages import HttpRequest, RestResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Respond = Callable[[HttpRequest, RequestRecord], Awaitable[RestResponse]]
"""Answers a request, and fills in its record on the way; raises nothing."""

TASK: Final = "darkroom.task"
"""Key in the state of an ASGI scope: the task that answers the request."""
CLIENT_GONE: Final = "darkroom.client_gone"
"""Key that is there once the client has gone, for which the task is then cancelled."""
_CLIENT_GONE_RESPONSE: Final = RestResponse(Code.CANCELLED.http_status, b"", code=Code.CANCELLED)
_REQUEST_ID: Final = b"x-request-id"


class RestApp:
    """Answers each request once: with its answer, or 504 when the time is over.

    Args:
        respond: Answers the requests.
        observer: Is told of each request.
        timeout_seconds: Seconds until a request is answered 504; None waits for ever. What a
            thread computes for it goes on, and keeps the model for so long.
    """

    def __init__(self, respond: Respond, observer: Observer, timeout_seconds: float | None) -> None:
        self._respond = respond
        self._observer = observer
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers the request of an ASGI scope of type `http`."""
        headers = dict(scope["headers"])
        request_id = headers.get(_REQUEST_ID)
        record = self._observer.begin(
            "REST",
            _describe_peer(scope["client"]),
            None if request_id is None else request_id.decode("latin-1"),
        )
        response = _CLIENT_GONE_RESPONSE
        try:
            body = await _read_body(receive)
            if body is None:
                return
            record.request_bytes = len(body)
            request = HttpRequest(scope["method"], _read_target(scope), headers, body)
            scope["state"][TASK] = asyncio.current_task()
            response = await self._answer(request, record)
            if CLIENT_GONE in scope["state"]:
                response = _CLIENT_GONE_RESPONSE
        finally:
            record.code, record.http_status = response.code, response.status
            record.response_bytes = len(response.body)
            self._observer.end(record)
        await _send_response(send, response)

    async def _answer(self, request: HttpRequest, record: RequestRecord) -> RestResponse:
        work = self._respond(request, record)
        try:
            return await asyncio.wait_for(work, self._timeout_seconds)
        except asyncio.TimeoutError:
            return respond_error(StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT))
        except asyncio.CancelledError:
            return respond_error(StatusError(Code.UNAVAILABLE, "The server is stopping"))


async def _read_body(receive: Receive) -> bytes | None:
    """Returns the body, None if the client has gone before its end."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message["body"])
        if not message["more_body"]:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _send_response(send: Send, response: RestResponse) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": response.write_headers(),
        }
    )
    await send({"type": "http.response.body", "body": response.body})


def _read_target(scope: Message) -> str:
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _describe_peer(client: tuple[str, int] | None) -> str:
    if client is None:
        return ""
    return f"[{client[0]}]:{client[1]}" if ":" in client[0] else f"{client[0]}:{client[1]}"

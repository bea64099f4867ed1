"""One gRPC call: bytes in, bytes out, its errors as statuses, counted and observed."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from darkroom.serving.model_server.core import ServerCore
from darkroom.serving.model_server.deadlines import find_end
from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError, to_status_error
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.operations.observer import Observer
from darkroom.serving.model_server.operations.request_log import find_spec
from darkroom.serving.model_server.operations.request_record import RequestRecord

MAX_MESSAGE: Final = 1024
"""Characters of an error message; gRPC limits what its trailers can carry."""
_GRPC_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_REQUEST_ID: Final = "x-request-id"

Method = Callable[[ServerCore, Any], Awaitable[Any]]
"""Takes the models and a request message, returns the answer's message."""


class Calls:
    """Answers calls, and knows how many are being answered.

    Streams, which clients may keep open for ever, are none of them.
    """

    def __init__(self, core: ServerCore, observer: Observer) -> None:
        self._core = core
        self._observer = observer
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()
        # protobuf 3.20 warns of a message that is cut off in one way, and takes it for whole.
        warnings.filterwarnings("error", "Unexpected end-group tag", RuntimeWarning)

    def create_handler(
        self, api: str, request_class: Any, method: Method
    ) -> Callable[[bytes, Any], Awaitable[bytes]]:
        """Returns what `grpc.aio` calls for the method of that name."""

        # Takes and gives bytes, so that a large message is read and written beside the event loop.
        async def handle(content: bytes, context: Any) -> bytes:
            record = self._begin(api, content, context)
            try:
                return await self._answer(request_class, method, content, record)
            except asyncio.CancelledError:
                record.code = Code.CANCELLED
                raise
            except Exception as error:
                status = to_status_error(error)
                record.code = status.code
                await _abort(context, status)
                raise  # Never reached: abort() raises.
            finally:
                self._end(record)

        return handle

    async def wait_until_none(self) -> None:
        """Waits until all calls have been answered."""
        await self._none.wait()

    def _begin(self, api: str, content: bytes, context: Any) -> RequestRecord:
        self._count += 1
        self._none.clear()
        record = RequestRecord(
            "GRPC",
            api,
            request_bytes=len(content),
            peer=context.peer(),
            request_id=_find_request_id(context),
            deadline=find_end(context.time_remaining()),
        )
        self._observer.begin(record)
        return record

    def _end(self, record: RequestRecord) -> None:
        self._count -= 1
        if self._count == 0:
            self._none.set()
        self._observer.end(record)

    async def _answer(
        self, request_class: Any, method: Method, content: bytes, record: RequestRecord
    ) -> bytes:
        request = await call_by_size(len(content), _parse, request_class, content)
        spec = find_spec(request)
        if spec is not None:
            record.model_name, record.signature_name = spec.name, spec.signature_name
        response = await method(self._core, request)
        spec = find_spec(response)
        if spec is not None:
            record.version = spec.version.value
            record.signature_name = spec.signature_name
        answer = await call_by_size(response.ByteSize(), response.SerializeToString)
        record.response_bytes = len(answer)
        size = len(content) + len(answer)
        self._core.request_log.log_messages(record.model_name, request, response, size)
        return answer


def _find_request_id(context: Any) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == _REQUEST_ID:
            return str(value)
    return ""


def _parse(message_class: Any, content: bytes) -> Any:
    try:
        return message_class.FromString(content)
    except (DecodeError, SystemError):
        # SystemError: protobuf 3.20's way of raising the warning above.
        name = message_class.DESCRIPTOR.full_name
        raise InvalidArgument(f"the request is not a message of type {name}") from None


async def _abort(context: Any, status: StatusError) -> None:
    """Ends a call with the status of an error."""
    message = status.message
    if len(message) > MAX_MESSAGE:
        message = message[:MAX_MESSAGE] + "...TRUNCATED"
    await context.abort(_GRPC_CODES[status.code], message)

"""What the run's Pusher said, from ML Metadata.

A run that is not blessed succeeds on Kubeflow, and in the API of the runs the outputs of a task are
always empty (kubeflow/pipelines#9858). The launcher keeps the artifacts' metadata in ML Metadata,
which the user interface reads over gRPC-Web at `/ml_metadata` of its own address; so does this.
Where `--host` is the API server alone, behind a port-forward for one, there is no such service.
"""

import struct
from typing import Any, Final

from google.protobuf.message import DecodeError

from darkroom.kubeflow.server.access import RefusedError
from darkroom.kubeflow.server.rest import Rest
from darkroom.records.artifacts import read_values
from darkroom.records.push import PushOutcome

_SERVICE: Final = "/ml_metadata.MetadataStoreService"
_KIND: Final = "application/grpc-web+proto"
_RUN_CONTEXT: Final = "system.PipelineRun"
_HEADER: Final = struct.Struct(">BI")
_TRAILERS: Final = 0x80


def read_push(rest: Rest, run_id: str) -> PushOutcome | None:
    """Looks up what Pusher said; None where ML Metadata does not know the run.

    Raises:
        ApiError: The server has no such service at its address, or does not answer.
    """
    from ml_metadata.proto import metadata_store_service_pb2 as service

    context = service.GetContextByTypeAndNameResponse()
    asked = service.GetContextByTypeAndNameRequest(type_name=_RUN_CONTEXT, context_name=run_id)
    _call(rest, "GetContextByTypeAndName", asked, context)
    if not context.HasField("context"):
        return None
    found = service.GetArtifactsByContextResponse()
    _call(
        rest,
        "GetArtifactsByContext",
        service.GetArtifactsByContextRequest(context_id=context.context.id),
        found,
    )
    pushes = (PushOutcome.read(read_values(each.custom_properties)) for each in found.artifacts)
    return next((push for push in pushes if push), None)


def _call(rest: Rest, method: str, request: Any, response: Any) -> None:
    """One call: a message behind a byte of flags and its length; an error has no message."""
    sent = request.SerializeToString()
    answer = rest.ask(f"{_SERVICE}/{method}", _HEADER.pack(0, len(sent)) + sent, _KIND)
    if len(answer) < _HEADER.size:
        return
    flags, length = _HEADER.unpack_from(answer)
    if flags & _TRAILERS:
        return
    try:
        response.ParseFromString(answer[_HEADER.size : _HEADER.size + length])
    except DecodeError as error:
        raise RefusedError(f"{rest.host}: there is no ML Metadata at {_SERVICE}") from error

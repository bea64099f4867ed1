"""Options of the gRPC server from the command line."""

import re
from typing import Final

from serving.model_server.errors import StartError

_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_MAX_INTEGER: Final = 2**31 - 1


def parse_channel_arguments(text: str) -> dict[str, int | str]:
    """Returns option name to value; what reads as an integer of 32 bits is one.

    Args:
        text: Options as `name=value,name=value`.

    Raises:
        StartError: A part is not `name=value`.
    """
    options: dict[str, int | str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not name or not equals or not value:
            raise StartError(
                f"grpc_channel_arguments={text!r}: {part!r} is not name=value; put commas between "
                "options, as grpc.max_connection_age_ms=60000,grpc.keepalive_time_ms=30000"
            )
        options[name] = _parse_value(value)
    return options


def _parse_value(value: str) -> int | str:
    if _INTEGER.fullmatch(value) and abs(int(value)) <= _MAX_INTEGER:
        return int(value)
    return value

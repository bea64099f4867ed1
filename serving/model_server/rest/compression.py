"""Bodies compressed with gzip."""

import asyncio
import gzip
import re
import zlib
from typing import Final

from darkroom.serving.model_server.errors import InvalidArgument
from darkroom.serving.model_server.event_loop import call_by_size
from darkroom.serving.model_server.rest.messages import Body

MIN_BYTES: Final = 4096
"""Shorter answers fit into a few packets, whether they are compressed or not."""
_LEVEL: Final = 1
"""The fastest: numbers as text shrink to less than half at any level."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_ACCEPTED: Final = re.compile(rb"(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q=([0-9.]+)\s*)?(?:,|$)", re.I)


class DecompressedTooLarge(Exception):
    """A body that holds more than may be taken."""


async def decompress(body: Body, max_bytes: int) -> bytes:
    """Returns what a gzip stream holds.

    Args:
        max_bytes: Most bytes to return. No more than these are ever held in memory.

    Raises:
        InvalidArgument: Not a whole gzip stream, or something behind its end.
        DecompressedTooLarge: It holds more.
    """
    stream = zlib.decompressobj(_GZIP)
    # In a thread, whatever its size: a few kilobytes may hold many megabytes.
    content = await asyncio.to_thread(_inflate, stream, body, max_bytes + 1)
    if len(content) > max_bytes:
        raise DecompressedTooLarge
    if not stream.eof or stream.unused_data:
        raise InvalidArgument("Failed to uncompress the gzipped body: it is cut off or goes on")
    return content


def _inflate(stream: "zlib._Decompress", data: Body, max_bytes: int) -> bytes:
    try:
        return stream.decompress(data, max_bytes)
    except zlib.error as error:
        raise InvalidArgument(f"Failed to uncompress the gzipped body: {error}") from None


def accepts_gzip(header: bytes) -> bool:
    """Returns whether an `Accept-Encoding` asks for gzip."""
    match = _ACCEPTED.search(header)
    return match is not None and (match[1] is None or match[1].strip(b"0.") != b"")


async def compress(body: bytes) -> bytes:
    """Returns a gzip stream of these bytes."""
    return await call_by_size(len(body), gzip.compress, body, _LEVEL)

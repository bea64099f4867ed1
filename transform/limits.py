"""How large an encoded image may be: one answer for ingest, training and serving."""

from typing import Final

MAX_PIXELS: Final = 89_478_485
"""Height times width, as the header says: Pillow's own limit against decompression bombs."""

MAX_PNG_TEXTS: Final = 32
"""`zTXt` and `iTXt` chunks of one PNG: libpng unpacks each to up to 8 MB, and keeps them all."""
PNG_TEXT: Final = b"TXt"
"""In the names of both, and in no other chunk's."""

BMP_HEADER_BYTES: Final = 40
"""Least length of a bitmap's header; OS/2's shorter one has its numbers at other places."""

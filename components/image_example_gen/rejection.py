"""Why a row becomes no example."""

from enum import Enum


class Reason(str, Enum):
    """Codes as written to the quarantine."""

    MALFORMED_ROW = "malformed_row"
    """The CSV row has more or fewer cells than the header."""
    EMPTY_LABEL = "empty_label"
    PATH_OUTSIDE_DATA = "path_outside_data"
    """An absolute path, one with `..`, or a link that leaves the data folder."""
    MISSING_FILE = "missing_file"
    EMPTY_FILE = "empty_file"
    UNREADABLE = "unreadable"
    """No permission, not a regular file, or an input/output error."""
    UNSUPPORTED_FORMAT = "unsupported_format"
    """An image that TensorFlow cannot decode: WebP, TIFF, HEIC, …"""
    NOT_AN_IMAGE = "not_an_image"
    """No image at all, or a truncated or corrupt one."""
    TOO_LARGE = "too_large"


class RowRejectedError(Exception):
    """One row cannot be used; never leaves the ingest."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail

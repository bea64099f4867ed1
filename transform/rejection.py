"""Why an image, or the row that names it, cannot be used: one vocabulary for all who refuse it."""

from enum import Enum


class Reason(str, Enum):
    """Codes as the quarantine has them, each with the words that people read."""

    words: str

    def __new__(cls, code: str, words: str) -> "Reason":
        """A code that knows its words."""
        reason = str.__new__(cls, code)
        reason._value_, reason.words = code, words
        return reason

    MALFORMED_ROW = "malformed_row", "row with too many or too few cells"
    EMPTY_LABEL = "empty_label", "empty label"
    PATH_OUTSIDE_DATA = "path_outside_data", "path leaves the data folder"
    """An absolute path, one with `..`, or a link that leaves the data folder."""
    MISSING_FILE = "missing_file", "file is missing"
    EMPTY_FILE = "empty_file", "file is empty"
    UNREADABLE = "unreadable", "file cannot be read"
    """No permission, not a regular file, or an input/output error."""
    UNSUPPORTED_FORMAT = "unsupported_format", "image format is not supported"
    """An image in a format that is not read; the detail names it."""
    NOT_AN_IMAGE = "not_an_image", "not an image, or a broken one"
    """No image at all, or a truncated or corrupt one."""
    TOO_LARGE = "too_large", "image is too large"


class RejectedError(Exception):
    """One image, or the row that names it, cannot be used."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason.value, detail)
        self.reason = reason
        self.detail = detail

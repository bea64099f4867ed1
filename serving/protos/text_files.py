"""Configuration files in protobuf's text format, without importing TensorFlow."""

from pathlib import Path
from typing import Any

from google.protobuf import text_format

from darkroom.serving import protos


class TextFileError(ValueError):
    """A file that cannot be read or parsed; the message is one line that names it."""


def read_text_file(path: Path, message_name: str) -> Any:
    """Returns the message in a text file.

    Args:
        path: The file, UTF-8.
        message_name: Name of the message in `tensorflow.serving`, as `ModelServerConfig`.

    Raises:
        TextFileError: The file cannot be read, or is not such a message.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TextFileError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise TextFileError(f"{path} is not a text file (byte {error.start})") from None
    return parse_text(text, message_name, str(path))


def parse_text(text: str, message_name: str, source: str) -> Any:
    """Returns the message that a text describes.

    Args:
        source: What to call the text in an error.

    Raises:
        TextFileError: The text is not such a message.
    """
    message = protos.create_message(message_name)
    try:
        text_format.Parse(text, message, descriptor_pool=protos.load_pool())
    except text_format.ParseError as error:
        # The words of TensorFlow Serving, and of protobuf in C++.
        place_and_reason = " ".join(str(error).split()).replace(" : ", ": ", 1)
        kind = message.DESCRIPTOR.full_name
        raise TextFileError(
            f"{source}: Error parsing text-format {kind}: {place_and_reason}"
        ) from None
    return message

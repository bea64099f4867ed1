"""Rows from TFRecord files of tf.Example, which hold the images themselves."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, BinaryIO, Final

from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.places.files import MAX_BYTES
from darkroom.components.image_example_gen.sources.json_lines import to_text
from darkroom.components.image_example_gen.sources.source import Within
from darkroom.components.image_example_gen.sources.split_names import parse_splits
from darkroom.components.image_example_gen.sources.table import Record, TableSource

_FRAME: Final = struct.Struct("<QI")
"""Length and its checksum: https://www.tensorflow.org/tutorials/load_data/tfrecord."""
_CHECKSUM: Final = 4
_SUFFIXES: Final = (".tfrecord", ".tfrecords", ".tfrec", ".record")


class TfRecordSource(TableSource):
    """Uncompressed TFRecord files; a file called `train…` or `…test…` is of that split."""

    file_field = "path"

    @property
    def name(self) -> str:
        """See `Source`."""
        return str(self._config.path)

    def digest(self) -> bytes:
        """See `Source`; the files are identified as those of the images."""
        return b""

    @cached_property
    def _tables(self) -> Mapping[str, str]:
        """See `TableSource`."""
        names = [name for name in self._list_files() if _is_records(name)]
        if not names:
            raise DataLocationError(
                f"data.path: no TFRecord file is in {str(self._config.path)!r}, uncompressed and "
                f"called *{', *'.join(_SUFFIXES)}; write some, or set data.format"
            )
        splits = parse_splits(names)
        return {name: splits.get(name, "") for name in names}

    def list_columns(self, name: str) -> list[str]:
        """See `TableSource`; the features of the first example."""
        return sorted(next(self._read(name), (0, b"", {}))[2])

    def list_records(self, name: str, columns: Sequence[str]) -> Iterator[Record]:
        """See `TableSource`."""
        missing = dict.fromkeys(columns, "")
        image = self._config.image_column
        for number, (start, data, features) in enumerate(self._read(name), start=1):
            cells = missing | {key: _read_cell(value) for key, value in features.items()
                               if key in columns and key != image}  # fmt: skip
            cells[image] = f"{name}/{number}"
            content = features[image].bytes_list.value[:1] if image in features else []
            # The message holds the bytes as they are, so that nobody need parse it again.
            within = (
                Within(name, start + data.index(content[0]), len(content[0])) if content else None
            )
            problem = "" if content else f"no feature {image!r}"
            yield Record(number, cells, problem, within)

    def _read(self, name: str) -> Iterator[tuple[int, bytes, Mapping[str, Any]]]:
        """Where each example begins, its bytes, and its features."""
        import tensorflow as tf  # Slow to import, and for this format alone.
        from google.protobuf.message import DecodeError

        with self._place.open(name, "data.path") as file:
            for start, data in _iterate(file, name):
                try:
                    yield start, data, tf.train.Example.FromString(data).features.feature
                except DecodeError:
                    _refuse(name, start, "no tf.Example")


def _iterate(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    start = 0
    while head := file.read(_FRAME.size):
        length = _FRAME.unpack(head)[0] if len(head) == _FRAME.size else MAX_BYTES + 1
        data = file.read(length) if length <= MAX_BYTES else b""
        if len(data) != length or len(file.read(_CHECKSUM)) != _CHECKSUM:
            _refuse(name, start, "cut off, or no TFRecord")
        yield start + _FRAME.size, data
        start += _FRAME.size + length + _CHECKSUM


def _refuse(name: str, start: int, fault: str) -> None:
    raise DataLocationError(
        f"data.path: {name!r} at byte {start}: {fault}; write it anew, uncompressed"
    )


def _read_cell(feature: Any) -> str:
    values = getattr(feature, kind).value if (kind := feature.WhichOneof("kind")) else []
    return to_text([v.decode(errors="replace") if isinstance(v, bytes) else v for v in values])


def _is_records(name: str) -> bool:
    return any(f"{suffix}-" in name or name.endswith(suffix) for suffix in _SUFFIXES)

"""Rows from TFRecord files of tf.Example, which hold the images themselves."""

import contextlib
import gzip
import re
import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.places.files import MAX_BYTES
from darkroom.components.image_example_gen.sources.json_lines import to_text
from darkroom.components.image_example_gen.sources.source import Within
from darkroom.components.image_example_gen.sources.split_names import parse_splits
from darkroom.components.image_example_gen.sources.table import Record, TableSource

_FRAME: Final = struct.Struct("<QI")
"""Length and its checksum: https://www.tensorflow.org/tutorials/load_data/tfrecord."""
_CHECKSUM: Final = 4
_NAME: Final = re.compile(
    r"(?:[._]tfrecords?|\.tfrec|\.record)(?:-\d+-of-\d+)?(?:\.gz)?$", re.IGNORECASE
)
_PACKED: Final = ".gz"


class TfRecordSource(TableSource):
    """TFRecord files, packed with gzip or not; one called `train…` or `…test…` is of that split."""

    file_field = "path"

    @property
    def name(self) -> str:
        """See `Source`."""
        return str(self._config.path)

    @contextlib.contextmanager
    def unpacked(self, root: Path) -> Iterator[Path]:
        """See `Source`; nothing is copied where nothing is packed."""
        if not any(name.endswith(_PACKED) for name in self.files):
            yield root
            return
        with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
            for name in self.files:
                target = Path(folder, name.removesuffix(_PACKED))
                target.parent.mkdir(parents=True, exist_ok=True)
                with (root / name).open("rb") as packed, target.open("wb") as file:
                    shutil.copyfileobj(_unpack(packed, name), file)
            yield Path(folder)

    @cached_property
    def _tables(self) -> Mapping[str, str]:
        """See `TableSource`."""
        names = [name for name in self._list_files() if _NAME.search(name)]
        if not names:
            raise DataLocationError(
                f"data.path: no file in {str(self._config.path)!r} is called as TFRecord is, such "
                "as x.tfrecord-00000-of-00001; rename them, or set data.format"
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
            within = None
            if content:
                place = name.removesuffix(_PACKED)
                within = Within(place, start + data.index(content[0]), len(content[0]))
            problem = "" if content else f"no feature {image!r}"
            yield Record(number, cells, problem, within)

    def _read(self, name: str) -> Iterator[tuple[int, bytes, Mapping[str, Any]]]:
        """Where each example begins, its bytes, and its features."""
        import tensorflow as tf  # Slow to import, and for this format alone.
        from google.protobuf.message import DecodeError

        with self._place.open(name, "data.path") as file:
            try:
                for start, data in _iterate(_unpack(file, name), name):
                    yield start, data, tf.train.Example.FromString(data).features.feature
            except (DecodeError, OSError, EOFError, zlib.error) as error:
                _refuse(name, 0, f"no tf.Example ({error})")


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
        f"data.path: {name!r} at byte {start}: {fault}; write it anew, or leave it out by "
        "data.exclude"
    )


def _read_cell(feature: Any) -> str:
    values = getattr(feature, kind).value if (kind := feature.WhichOneof("kind")) else []
    return to_text([v.decode(errors="replace") if isinstance(v, bytes) else v for v in values])


def _unpack(file: BinaryIO, name: str) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if name.endswith(_PACKED) else file

"""What every source of rows is."""

import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from darkroom.components.image_example_gen.places.files import read_image
from darkroom.components.image_example_gen.selection import Selection, newest_spans

if TYPE_CHECKING:
    from darkroom.components.image_example_gen.places import Place


class Within(NamedTuple):
    """Where the bytes of an image are, if they are no file of their own.

    Attributes:
        file: Relative to the data folder.
        offset: Of the first byte.
        size: In bytes.
    """

    file: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the input, before its image is looked at.

    Args:
        number: Tables: as a spreadsheet counts, the header being 1. Folders: from 1, by path.
        image_path: Relative to the data folder; of an image within a file, what messages call it.
        label: Class name; empty where the row has none.
        group: Value of the group column, or empty.
        metadata: Values in the order of the recipe's `metadata_columns`.
        problem: Why the row itself cannot be read, or empty.
        split: The split that the data give it; empty: it is drawn.
        skipped: Whether the recipe says that it is not wanted.
        within: Where the image is, if it is no file of its own.
    """

    number: int
    image_path: str
    label: str
    group: str = ""
    metadata: tuple[str, ...] = ()
    problem: str = ""
    split: str = ""
    skipped: bool = False
    within: Within | None = None

    @property
    def file(self) -> str:
        """The file that has to be there, relative to the data folder."""
        return self.within.file if self.within else self.image_path


class DataFields(Protocol):
    """What sources read of the recipe's `data` section, `DataConfig`."""

    path: Path | str
    format: str
    split_files: dict[str, str]
    delimiter: str
    encoding: str
    path_pattern: str
    newest_spans: int
    image_column: str
    image_prefix: str
    image_suffix: str
    label_column: str
    one_hot_columns: tuple[str, ...]
    empty_labels: tuple[str, ...]
    group_column: str | None
    split_column: str | None
    metadata_columns: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, each once."""

    @property
    def selection(self) -> Selection:
        """Which images are wanted."""


class Source(ABC):
    """The rows of a data set, as one format writes them.

    A further one is a module here, an entry in `SOURCES`, and fields of its own in `DataConfig`.

    Attributes:
        label_field: The recipe's field that says where labels are, for messages.
        image_field: Likewise, where images are.
        class_remedy: What to do where there are fewer than two classes.
    """

    label_field: ClassVar[str]
    image_field: ClassVar[str]
    class_remedy: ClassVar[str]

    def __init__(self, config: DataFields, place: "Place") -> None:
        self._config = config
        self._place = place

    @classmethod
    def find_conflict(cls, config: DataFields) -> str:
        """What the recipe says and this format does not have, with a remedy; or empty."""
        columns = ("group_column", "metadata_columns", "split_column", "one_hot_columns")
        given = [name for name in (*columns, "split_files") if getattr(config, name)]
        if not given:
            return ""
        return (
            f"{' and '.join(given)}: columns, which format {config.format} does not have; "
            "use format: csv, or leave them out"
        )

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self._config.path)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files that the rows are read from, relative to the data folder."""
        return ()

    @abstractmethod
    def list_rows(self) -> Iterator[Row]:
        """All rows in a fixed order, without a look into an image.

        Raises:
            DataLocationError: They cannot be read.
        """

    def list_notes(self) -> list[str]:
        """What was read otherwise than it is written, a sentence each; asked after the rows."""
        return []

    def explain_missing(self, row: Row) -> str:
        """Why the image of a row is not there and what to do, where no row has one."""
        return f"images lie in {str(self._config.path)!r}; correct data.path"

    def has_image(self, row: Row) -> bool:
        """Whether a row's image is there."""
        return row.within is not None or self._place.has_file(row.image_path)

    def digest(self) -> bytes:
        """Bytes that are others whenever what is in `files` is another; empty without any."""
        return b"".join(self._place.identify(self.files))

    @contextlib.contextmanager
    def unpacked(self, root: Path) -> Iterator[Path]:
        """The data folder on this machine, with `files` as they can be read at any place.

        Raises:
            DataLocationError: They cannot be unpacked.
        """
        yield root

    def digest_image(self, row: Row) -> bytes:
        """SHA-256 of the encoded image of a row; the data folder is one of this machine.

        Raises:
            RejectedError: It cannot be read.
        """
        known = None if row.within else self._place.known_digest(row.image_path)
        root = Path(self._config.path).resolve()
        return known or hashlib.sha256(self.read_image(row, root)).digest()

    @classmethod
    def read_image(cls, row: Row, root: Path) -> bytes:
        """The encoded image of a row, at least one byte.

        Args:
            row: The row.
            root: Real path of the data folder on this machine.

        Raises:
            RejectedError: It cannot be read.
        """
        if row.within:
            return read_image(root, *row.within)
        return read_image(root, row.image_path)

    def _list_files(self) -> list[str]:
        """Files of the data folder that the recipe wants."""
        return newest_spans(
            filter(self._config.selection.takes, self._place.list_files()),
            self._config.newest_spans,
        )

"""Rows from folders: the folder's name, or a pattern, says the label of an image."""

import re
from collections.abc import Iterator
from functools import cached_property

from darkroom.components.image_example_gen.errors import DataClassesError, list_some
from darkroom.components.image_example_gen.labels import normalize_label
from darkroom.components.image_example_gen.places.litter import is_side_car
from darkroom.components.image_example_gen.sources.layout import Layout, find_layout
from darkroom.components.image_example_gen.sources.source import Row, Source
from darkroom.components.image_example_gen.sources.split_names import KNOWN_NAMES, parse_split


class FolderSource(Source):
    """Class folders, maybe below folders of splits, or paths that a pattern takes apart."""

    label_field = image_field = "data.path"
    class_remedy = (
        "make one folder of images per class, at least two, or say by data.path_pattern where the "
        "label stands in a path"
    )

    def list_rows(self) -> Iterator[Row]:
        """See `Source`."""
        read = self._match if self._config.path_pattern else self._read
        rows = (read(number, name) for number, name in enumerate(self._names, start=1))
        yield from (row for row in rows if row)

    def list_notes(self) -> list[str]:
        """See `Source`."""
        notes = []
        held = {name.partition("/")[0] for name in self._names}
        empty = [folder for folder in self._place.list_folders() if folder not in held]
        if empty:
            notes.append(f"without images, and passed over: {list_some(map(repr, empty))}")
        if linked := self._place.list_linked():
            notes.append(f"linked folders that are not entered: {list_some(map(repr, linked))}")
        if not self._config.path_pattern and self._layout.splits:
            names = ", ".join(f"{n!r} is {split}" for n, split in self._layout.splits.items())
            notes.append(f"folders are given splits: {names}")
        return notes

    @cached_property
    def _names(self) -> list[str]:
        """Files that may be images and are wanted."""
        return [name for name in self._list_files() if not is_side_car(name)]

    @cached_property
    def _layout(self) -> Layout:
        return find_layout(self._names)

    def _read(self, number: int, name: str) -> Row | None:
        meaning = self._layout.read(name)
        return meaning and Row(number, name, normalize_label(meaning.label), split=meaning.split)

    def _match(self, number: int, name: str) -> Row:
        """A row out of a path that the recipe's pattern takes apart."""
        found = re.fullmatch(self._config.path_pattern, name)
        said = {key: value or "" for key, value in found.groupdict().items()} if found else {}
        split = parse_split(said.get("split", ""))
        if said.get("split") and not split:
            raise DataClassesError(
                f"data.path_pattern: {said['split']!r} of {name!r} is no split; known are "
                f"{KNOWN_NAMES}; correct the pattern"
            )
        label = normalize_label(said.get("label", ""))
        return Row(number, name, label, group=said.get("group", ""), split=split)

"""Rows from WebDataset's tar files: members of one name, of which one is the image."""

import json
import tarfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import groupby
from typing import Any, Final

from darkroom.components.image_example_gen.errors import DataLocationError
from darkroom.components.image_example_gen.labels import normalize_label
from darkroom.components.image_example_gen.sources.json_lines import to_text
from darkroom.components.image_example_gen.sources.source import Row, Source, Within
from darkroom.components.image_example_gen.sources.split_names import parse_splits

_IMAGES: Final = frozenset(
    ("jpg", "jpeg", "png", "gif", "bmp", "webp", "tif", "tiff", "heic", "avif", "jp2", "ppm")
)
_MAX_TEXT: Final = 2**20


class WebDatasetSource(Source):
    """Tar files; a file called `train…` or `…test…` is of that split.

    The label is in the member `.cls`, or in `.json` under the name of the label column:
    https://github.com/webdataset/webdataset.
    """

    label_field = image_field = "data.path"
    class_remedy = "put a .cls, or a .json with a label, beside each image"

    @cached_property
    def files(self) -> tuple[str, ...]:
        """See `Source`."""
        names = tuple(name for name in self._list_files() if name.endswith(".tar"))
        if not names:
            raise DataLocationError(
                f"data.path: no .tar is in {str(self._config.path)!r}; unpack .tar.gz to .tar, or "
                "set data.format"
            )
        return names

    def list_rows(self) -> Iterator[Row]:
        """See `Source`."""
        splits = parse_splits(self.files)
        number = 0
        for name in self.files:
            for sample, members in self._read(name):
                number += 1
                yield self._read_row(number, f"{name}/{sample}", members, splits.get(name, ""))

    def _read(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Samples of a file: member by extension, a text's content or an image's place."""
        with self._place.open(name, "data.path") as file:
            try:
                with tarfile.open(fileobj=file, mode="r:") as archive:
                    members = (member for member in archive if member.isfile())
                    for sample, group in groupby(members, key=lambda each: _split(each.name)[0]):
                        yield (
                            sample,
                            {_split(each.name)[1]: _look(archive, each, name) for each in group},
                        )
            except tarfile.TarError as error:
                raise DataLocationError(
                    f"data.path: {name!r} cannot be read ({error}); write it anew, uncompressed"
                ) from None

    def _read_row(self, number: int, path: str, members: Mapping[str, Any], split: str) -> Row:
        images = {key: each for key, each in members.items() if isinstance(each, Within)}
        label, problem = self._read_label(members)
        if len(images) != 1:
            problem = f"{len(images)} images of that name: {', '.join(images) or 'none'}"
        extension, within = next(iter(images.items()), ("", None))
        return Row(
            number=number,
            image_path=f"{path}.{extension}",
            label=normalize_label(label),
            problem=problem,
            split=split,
            within=within,
        )

    def _read_label(self, members: Mapping[str, Any]) -> tuple[str, str]:
        try:
            if "cls" in members:
                return members["cls"].decode(), ""
            said = json.loads(members.get("json", b"{}"))
            return to_text(said.get(self._config.label_column)), ""
        except (ValueError, AttributeError) as error:
            return "", f"the label cannot be read: {error}"


def _split(name: str) -> tuple[str, str]:
    """The sample's name and the extension: the name ends at the first dot of the last part."""
    folder, _, file = name.rpartition("/")
    sample, _, extension = file.partition(".")
    return f"{folder}/{sample}" if folder else sample, extension.lower()


def _look(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> Within | bytes:
    if _split(member.name)[1].rpartition(".")[2] in _IMAGES:
        return Within(name, member.offset_data, member.size)
    file = archive.extractfile(member)
    return file.read(_MAX_TEXT) if file else b""

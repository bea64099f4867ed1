"""From a path as a table writes it to the file that is meant, where only one can be."""

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from darkroom.components.image_example_gen.places.litter import is_litter, is_side_car

if TYPE_CHECKING:
    from darkroom.components.image_example_gen.places import Place

_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")


class ImagePaths:
    """Finds the files that written paths mean.

    A path is taken as it is where such a file exists. Else backslashes are read as slashes, an
    absolute path within the data folder as a relative one, and names are compared without regard
    to case, to Unicode's forms, and to an extension that is left out.

    Attributes:
        respelled: Written path and name of the first file that was found so; empty for none.
        respellings: How many were.
    """

    def __init__(self, place: "Place", prefix: str, suffix: str) -> None:
        self._place = place
        self._prefix, self._suffix = prefix, suffix
        # A listing costs a walk through a folder, and rows lie near each other.
        self._spellings = lru_cache(64)(self._list_spellings)
        self.respelled: tuple[str, str] = "", ""
        self.respellings = 0

    def find(self, written: str, folder: str = "") -> tuple[str, str]:
        """The file's name, and why it is not known which is meant, or empty.

        Args:
            written: As in the table, without outer white space.
            folder: Where the table is: what is not found from the data folder is sought from there.
        """
        name = f"{self._prefix}{written}{self._suffix}" if written else ""
        if not name or self._place.has_file(name):
            return name, ""
        beside = posixpath.join(folder, name)
        if folder and self._place.has_file(beside):
            return beside, ""
        plain = self._to_relative(name)
        found = [plain] if self._place.has_file(plain) else self._compare(plain)
        if folder and not found:
            found = self._compare(posixpath.join(folder, plain))
        if len(found) > 1:
            return name, f"{name!r} may mean any of {', '.join(map(repr, found[:3]))}"
        if not found:
            return name, ""
        self.respelled = self.respelled if self.respellings else (written, found[0])
        self.respellings += 1
        return found[0], ""

    def explain(self, name: str) -> str:
        """Why a path, as `find` gave it, leads to no file, and what to do."""
        if "://" in name:
            return "it is an address in a network; fetch the images first"
        if name.startswith("/") or _DRIVE.match(name):
            return (
                f"{name!r} is an absolute path outside of data.path; write paths relative to "
                "data.path, or move data.path"
            )
        image, prefix = self.find_prefix(name)
        if image:
            return f"there is {image!r} instead; set data.image_prefix: {prefix!r}"
        plain = self._to_relative(name)
        parts = plain.split("/")
        for depth in range(1, len(parts)):
            if self._compare(shorter := "/".join(parts[depth:])):
                return (
                    f"there is {shorter!r} instead: paths begin {depth} folders above; move "
                    "data.path there, or correct the column"
                )
        wanted = _stem(posixpath.basename(_reduce(plain)))
        for image in self._list_images():
            if wanted and _reduce(_stem(posixpath.basename(image))) == wanted:
                return f"there is {image!r} instead; correct the column, or data.path"
        return "no file of that name is anywhere in data.path; correct the column, or data.path"

    def find_prefix(self, name: str) -> tuple[str, str]:
        """A file that lies where a path would lead behind a prefix, and the prefix; else empty."""
        plain = self._to_relative(name)
        for image in self._list_images():
            for target in (image, _stem(image)):
                if _reduce(target).endswith(_reduce(f"/{plain}")):
                    return image, target[: len(target) - len(plain)] + self._prefix
        return "", ""

    def _list_images(self) -> Iterator[str]:
        return (name for name in self._place.list_files() if not is_side_car(name))

    def _to_relative(self, name: str) -> str:
        slashed = name.replace("\\", "/")
        if slashed.startswith("/"):
            return self._place.make_relative(slashed) or slashed
        return slashed if _DRIVE.match(name) else posixpath.normpath(slashed)

    def _compare(self, name: str) -> list[str]:
        """Files whose names are the same but for spelling."""
        if name.startswith(("/", "..")) or not name:
            return []
        *folders, file = name.split("/")
        within = [""]
        for folder in folders:
            within = [each for parent in within for each in self._match(parent, folder)]
        found = [each for folder in within for each in self._match(folder, file)]
        if not found:
            found = [each for folder in within for each in self._match(folder, file, stems=True)]
        return [each for each in found if self._place.has_file(each)]

    def _match(self, folder: str, name: str, stems: bool = False) -> list[str]:
        names = self._spellings(folder)[stems].get(_reduce(name), [])
        exact = [each for each in names if each == name]
        return [posixpath.join(folder, each) for each in exact or names]

    def _list_spellings(self, folder: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Names in a folder by what they are reduced to, whole and without the extension."""
        whole, stems = defaultdict(list), defaultdict(list)
        for name in self._place.list_names(folder):
            whole[_reduce(name)].append(name)
            if "." in name and not is_litter(name) and not is_side_car(name):
                stems[_reduce(_stem(name))].append(name)
        return whole, stems


def _reduce(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]

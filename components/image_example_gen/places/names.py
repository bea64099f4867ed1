"""The folders that a list of files' names makes up."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from darkroom.components.image_example_gen.places.litter import is_litter


class FileNames:
    """Names of files relative to one folder, with slashes.

    Attributes:
        files: Those that are not litter, in the order of a walk.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    @cached_property
    def files(self) -> list[str]:
        """See the class."""
        wanted = (name for name in self._names if not any(map(is_litter, name.split("/"))))
        return sorted(wanted, key=_walk_order)

    @property
    def folders(self) -> list[str]:
        """The folders at the top that hold one of `files`, in order."""
        return sorted({name.partition("/")[0] for name in self.files if "/" in name})

    def list_within(self, folder: str) -> list[str]:
        """Names of all that lies directly in a folder, in order."""
        return self._children.get(folder, [])

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for name in self._names:
            parts = name.split("/")
            for depth, part in enumerate(parts):
                found["/".join(parts[:depth])].add(part)
        return {folder: sorted(names) for folder, names in found.items()}


def _walk_order(name: str) -> tuple[tuple[bool, str], ...]:
    """Orders names as a walk through folders does: the files of each, then its folders."""
    *folders, file = name.split("/")
    return (*((True, folder) for folder in folders), (False, file))

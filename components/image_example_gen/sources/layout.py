"""Which folders of a data folder are classes, and which are splits."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from darkroom.components.image_example_gen.errors import DataClassesError, list_some
from darkroom.components.image_example_gen.sources.split_names import parse_split, parse_splits
from darkroom.components.image_example_gen.split import SPLITS, TRAIN

_REMEDY: Final = (
    "say which by data.path_pattern, such as '(?P<label>[^/]+)/.+' for classes or "
    "'(?P<split>[^/]+)/(?P<label>[^/]+)/.+' for splits, or leave folders out by data.exclude"
)


class Meaning(NamedTuple):
    """What the folders above an image say of it; empty: nothing."""

    label: str
    split: str


class Layout(NamedTuple):
    """Where in a path the label and the split stand.

    Attributes:
        label: Index of the label's folder by what the path begins with, "" for any.
        split: Index of the split's folder; None: there are no splits.
        splits: Names of folders to splits.
    """

    label: dict[str, int]
    split: int | None
    splits: dict[str, str]

    def read(self, name: str) -> Meaning | None:
        """What a file's path says; None of a file that lies above the classes."""
        folders = name.split("/")[:-1]
        if self.split is None:
            depth, split = self.label[""], ""
        elif self.split >= len(folders):
            return None
        else:
            key = folders[self.split]
            depth, split = self.label.get(key, self.label.get("", 0)), self.splits[key]
        return Meaning(folders[depth], split) if depth < len(folders) else None


def find_layout(names: Iterable[str]) -> Layout:
    """Tells splits from classes by the names of folders, and by how deep the images lie.

    Args:
        names: Files, relative to the data folder, whose names may be images'.

    Raises:
        DataClassesError: Both would do, or neither; the message says what was found.
    """
    # Folders are few where images are many.
    paths = [folder.split("/") for folder in sorted({_folder(name) for name in names} - {""})]
    depth = 0
    while paths and len({path[depth] for path in paths}) == 1 and _are_deeper(paths, depth + 2):
        depth += 1
    folders: dict[str, list[list[str]]] = defaultdict(list)
    for path in paths:
        folders[path[depth]].append(path)
    splits = parse_splits(folders)
    flat = [name for name, inside in folders.items() if not _are_deeper(inside, depth + 2)]
    if not splits:
        return _find_classes(folders, depth)
    if len(splits) == 1 and splits.keys() <= set(flat) and len(folders) > 1:
        return Layout({"": depth}, None, {})
    _check_splits(folders, splits, flat)
    labels = {name: _skip_wrapper(inside, depth + 1) for name, inside in folders.items()}
    return Layout(labels, depth, splits)


def _find_classes(folders: dict[str, list[list[str]]], depth: int) -> Layout:
    """Class folders, which may hold the splits."""
    within = {
        name: {path[depth + 1] if _are_deeper([path], depth + 2) else "" for path in inside}
        for name, inside in folders.items()
    }
    inner = set().union(*within.values())
    splits = parse_splits(inner - {""})
    if len(set(splits.values())) > 1:
        if splits.keys() != inner or TRAIN not in splits.values():
            _refuse(f"some class folders hold splits ({_name(splits)}), and not in all")
        return Layout({"": depth}, depth + 1, splits)
    alike = len(within) > 1 and len({frozenset(each) for each in within.values()}) == 1
    if alike and len(inner) > 1 and "" not in inner:
        _refuse(f"each of {_name(folders)} holds the same folders, {_name(inner)}")
    return Layout({"": depth}, None, {})


def _check_splits(
    folders: Mapping[str, list[list[str]]], splits: dict[str, str], flat: Sequence[str]
) -> None:
    others = [name for name in folders if name not in splits]
    if others:
        _refuse(f"{_name(splits)} are called as splits are, {_name(others)} are not")
    if flat:
        whole = all(len(path) == len(folders[flat[0]][0]) for path in folders[flat[0]])
        remedy = f"data.exclude: ['{flat[0]}/*']" if whole else "data.exclude, file by file"
        raise DataClassesError(
            f"data.path: of the splits {_name(splits)}, {_name(flat)} has images without a class "
            f"folder; put them into class folders, or leave them out by {remedy}"
        )
    if TRAIN not in splits.values():
        _refuse(f"{_name(splits)} are called as splits are, and none is for training")
    for split in SPLITS:
        alike = [name for name, meant in splits.items() if meant == split]
        if len(alike) > 1:
            _refuse(f"{_name(alike)} are both called as the split {split!r} is")


def _skip_wrapper(inside: list[list[str]], depth: int) -> int:
    """Where the classes of a split begin: below `train/images` or `train/train`, if so."""
    names = {path[depth] for path in inside}
    is_wrapper = len(names) == 1 and (parse_split(name := next(iter(names))) or name == "images")
    return depth + 1 if is_wrapper and _are_deeper(inside, depth + 2) else depth


def _are_deeper(paths: Iterable[Sequence[str]], depth: int) -> bool:
    return all(len(path) >= depth for path in paths)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _refuse(found: str) -> None:
    raise DataClassesError(f"data.path: {found}: are they classes or splits? {_REMEDY}")


def _name(names: Iterable[str]) -> str:
    return list_some(map(repr, sorted(names)))

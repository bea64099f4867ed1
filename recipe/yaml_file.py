"""YAML in which nothing is said twice."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from darkroom.recipe.errors import ConfigError

_MERGE: Final = "tag:yaml.org,2002:merge"
"""What YAML calls the key `<<`."""


def read_yaml(text: str, within: Sequence[str] = ()) -> Any:
    """Reads YAML in which no key is said twice; YAML's own reader drops all but the last.

    Args:
        text: One document.
        within: Names of the sections that it stands in, for messages.

    Raises:
        ConfigError: A key is said twice in one place; a line for each.
        yaml.YAMLError: It is no YAML.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    places = _lines_by_key(root, tuple(within))
    repeated = sorted((lines, name) for name, lines in places if len(lines) > 1)
    if repeated:
        raise ConfigError("\n".join(_say_repeated(name, lines) for lines, name in repeated))
    return yaml.safe_load(text)


def find_lines(text: str) -> dict[str, int]:
    """The line that each key stands in, by its name with those of its sections."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return {".".join(name): lines[0] for name, lines in _lines_by_key(root, ())}


def _say_repeated(name: Sequence[str], lines: Sequence[int]) -> str:
    times = "twice" if len(lines) == 2 else f"{len(lines)} times"
    first, *others = [str(line) for line in dict.fromkeys(lines)]
    where = " and ".join([f"lines {first}", *others]) if others else f"line {first}"
    return f"{'.'.join(name)}: is said {times}, in {where}; keep the one that is meant"


def _lines_by_key(
    root: yaml.Node | None, within: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """Each key of each mapping in the document, with its name, and the lines that it stands in."""
    waiting = [(root, within)]
    seen = set()
    while waiting:
        node, name = waiting.pop()
        # What an alias stands for is looked at where it was written.
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, (*name, str(at))) for at, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], list[int]] = {}
            for key, value in node.value:
                waiting.append((value, (*name, str(key.value))))
                # Several merges into one mapping are YAML's way to have several parents.
                if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                    found = lines.setdefault((key.tag, key.value), [])
                    found.append(key.start_mark.line + 1)
            yield from (((*name, key), found) for (_, key), found in lines.items())

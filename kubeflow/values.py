"""Values of pipeline parameters, put among the execution properties of a node."""

import json
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any


def put_values(
    properties: MutableMapping[str, Any], places: Sequence[Sequence[str]], value: Any
) -> None:
    """Puts a parameter's value where the recipe's was.

    Args:
        properties: Execution properties of a node, changed in place.
        places: As of `RunParameter.find_places`.

    Raises:
        KeyError: The node has no such place: entrypoint and pipeline are of different versions.
    """
    for name, *keys in places:
        if not keys:
            is_text = isinstance(value, (list, dict))
            properties[name] = json.dumps(value) if is_text else value
            continue
        content = json.loads(properties[name])
        put_value(content, keys, value)
        properties[name] = json.dumps(content)


def has_place(properties: Mapping[str, Any], place: Sequence[str]) -> bool:
    """Whether the execution properties of a node have such a place."""
    name, *keys = place
    if name not in properties:
        return False
    content = json.loads(properties[name]) if keys else None
    for key in keys:
        if not isinstance(content, Mapping) or key not in content:
            return False
        content = content[key]
    return True


def put_value(content: MutableMapping[str, Any], keys: Sequence[str], value: Any) -> None:
    """Replaces the value at a path of keys; KeyError where there is none."""
    *above, last = keys
    for key in above:
        content = content[key]
    if last not in content:
        raise KeyError(last)
    content[last] = value

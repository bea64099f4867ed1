"""Values that a command line puts in the place of a recipe's."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from darkroom.recipe.errors import ConfigError
from darkroom.recipe.yaml_file import read_yaml


def read_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """Reads the values of `--set`; ConfigError where one is not FIELD=VALUE."""
    values = {}
    for assignment in assignments:
        field, sign, value = assignment.partition("=")
        if not sign or not field:
            raise ConfigError(
                f"--set: {assignment!r} gives no value; write FIELD=VALUE, as in trainer.seed=3"
            )
        values[field] = value
    return values


def override(content: dict[str, Any], values: Mapping[str, str], texts: Sequence[str]) -> None:
    """Puts values into what a recipe's file holds; the file may leave their sections out.

    Args:
        content: The file's content; changed in place.
        values: Field, such as trainer.seed, to value.
        texts: Fields that hold text, whose values are taken as they are; others are YAML.

    Raises:
        ConfigError: A value is no YAML, or a part of a field's name is no section.
    """
    for field, value in values.items():
        *sections, key = field.split(".")
        place: Any = content
        for section in sections:
            place = place.setdefault(section, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            raise ConfigError(f"--set: {field!r} is no field; {'.'.join(sections)} is no section")
        place[key] = value if field in texts else read_value(field, value)


def read_value(field: str, text: str) -> Any:
    """Reads a field's value as YAML; ConfigError where it is none, or says a key twice."""
    try:
        return read_yaml(text, field.split("."))
    except yaml.YAMLError as error:
        raise ConfigError(f"{field}: {text!r} is no YAML") from error

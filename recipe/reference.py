"""What a recipe may say: each field's type, default and meaning, as the classes have them."""

import functools
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docstring_parser
from pydantic import BaseModel

from darkroom.recipe.errors import ConfigError
from darkroom.recipe.recipe import Recipe
from darkroom.records.suggestion import did_you_mean

_TYPES = {
    "array": "list",
    "boolean": "true or false",
    "integer": "whole number",
    "null": "null",
    "number": "number",
    "object": "mapping",
    "string": "text",
}


@dataclass(frozen=True)
class FieldReference:
    """One field.

    Attributes:
        name: Its name with those of its sections, such as trainer.augmentation.rotation.
        type: What it takes, in words.
        default: What it is where the recipe does not say; empty where it has to.
        meaning: What it means, in one line.
    """

    name: str
    type: str
    default: str
    meaning: str

    @property
    def is_required(self) -> bool:
        """Whether a recipe has to say it."""
        return not self.default


def recipe_schema() -> dict[str, Any]:
    """The JSON schema of recipes; each property has the description of the docstrings."""
    schema = Recipe.model_json_schema()
    classes = {found.__name__: found for found in _list_classes(Recipe)}
    for name, section in {"Recipe": schema, **schema.get("$defs", {})}.items():
        meanings = _meanings(classes[name]) if name in classes else {}
        for key, described in section.get("properties", {}).items():
            if key in meanings:
                described["description"] = meanings[key]
        section["description"] = section.get("description", "").split("\n\nArgs:")[0]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema


def list_fields(section: str = "") -> list[FieldReference]:
    """All fields, or those of a section, in the order of the classes.

    Args:
        section: A section, such as trainer.augmentation, or a field; empty: all.

    Raises:
        ConfigError: There is no such section and no such field.
    """
    schema = recipe_schema()
    fields = list(_walk(schema, schema["$defs"], ""))
    if not section:
        return fields
    found = [f for f in fields if f.name == section or f.name.startswith(f"{section}.")]
    if not found:
        sections = {field.name.rpartition(".")[0] for field in fields} - {""}
        known = [*sorted(sections), *(field.name for field in fields)]
        raise ConfigError(
            f"{section!r} is no section or field of a recipe; {did_you_mean(section, known)}"
        )
    return found


def _walk(
    section: Mapping[str, Any], classes: Mapping[str, Any], within: str, above: tuple[str, ...] = ()
) -> Iterator[FieldReference]:
    """Fields of a section; those of a class that several of them hold are told once."""
    required = section.get("required", ())
    told: list[str] = []
    for key, described in section["properties"].items():
        name = f"{within}{key}"
        held, suffix = _held_class(described)
        if suffix or not held:
            default = "" if key in required else _say_value(described.get("default"))
            meaning = described.get("description", "")
            yield FieldReference(name, _say_type(described), default, meaning)
        if held and held not in (*above, *told):
            told.append(held)
            yield from _walk(classes[held], classes, f"{name}{suffix}.", (*above, held))


def _held_class(described: Mapping[str, Any]) -> tuple[str, str]:
    """The class whose fields stand below a field, or nothing, and what names one of several."""
    if "$ref" in described:
        return described["$ref"].rpartition("/")[2], ""
    for each in described.get("anyOf", ()):
        if "$ref" in each:
            return each["$ref"].rpartition("/")[2], ""
    for key, suffix in (("items", "[]"), ("additionalProperties", ".NAME")):
        if isinstance(described.get(key), dict) and "$ref" in described[key]:
            return described[key]["$ref"].rpartition("/")[2], suffix
    return "", ""


def _say_type(described: Mapping[str, Any]) -> str:
    if "$ref" in described:
        return "section"
    if "anyOf" in described:
        return " or ".join(_say_type(each) for each in described["anyOf"])
    if "enum" in described:
        return f"one of {', '.join(map(str, described['enum']))}"
    if "const" in described:
        return str(described["const"])
    kind = _TYPES.get(described.get("type", ""), "text")
    if kind == "list" and isinstance(described.get("items"), dict):
        return f"list of {_say_type(described['items'])}"
    if kind == "mapping" and isinstance(described.get("additionalProperties"), dict):
        return f"mapping to {_say_type(described['additionalProperties'])}"
    return f"{kind}{_say_bounds(described)}"


def _say_bounds(described: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    bounds = [f"{word} {described[key]}" for key, word in words.items() if key in described]
    return f", {' and '.join(bounds)}" if bounds else ""


def _say_value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower().replace("none", "null")
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return repr(value) if value == "" else str(value)


def _list_classes(kind: Any) -> Iterator[type[BaseModel]]:
    """The class, and all that its fields hold."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from _list_classes(field.annotation)
    for argument in typing.get_args(kind):
        yield from _list_classes(argument)


@functools.cache
def _meanings(kind: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a class, and of those that it extends, say about its fields."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        for parameter in docstring_parser.parse(each.__doc__ or "").params:
            found[parameter.arg_name] = " ".join((parameter.description or "").split())
    return found

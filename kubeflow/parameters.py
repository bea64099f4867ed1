"""Fields of the recipe as parameters of a Kubeflow pipeline.

TFX writes a recipe's values into the compiled pipeline, most of them within JSON. A field that is
to be changed from run to run becomes a parameter of the pipeline; each step that depends on it is
given the parameter too, and the entrypoint puts its value where the recipe's was.
"""

import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import docstring_parser
from pydantic import BaseModel

from darkroom.components.nodes import NODES
from darkroom.kubeflow.values import put_value
from darkroom.recipe import ConfigError, Recipe, parse_recipe
from darkroom.recipe.overrides import read_value

_KINDS: Final = {
    bool: "BOOLEAN",
    int: "NUMBER_INTEGER",
    float: "NUMBER_DOUBLE",
    str: "STRING",
    list: "LIST",
    dict: "STRUCT",
}


@dataclass(frozen=True)
class RunParameter:
    """A parameter of the pipeline that stands for a field of the recipe.

    Attributes:
        name: Its name: the field's, with underscores for dots.
        field: The field, such as trainer.seed.
        kind: Kubeflow's name of its type, such as NUMBER_INTEGER.
        default: What the recipe says.
        description: What the recipe's documentation says about the field, in one line.
    """

    name: str
    field: str
    kind: str
    default: Any
    description: str

    def find_places(self, node: str) -> list[tuple[str, ...]]:
        """Returns where in the execution properties of a node the value stands."""
        return [
            (*place, *rest)
            for place, section in NODES[node].sections.items()
            if (rest := _find_rest(self.field, section)) is not None
        ]


def list_parameters(recipe: Recipe) -> list[RunParameter]:
    """Returns what `kubeflow.parameters` names, in order; ConfigError where one cannot change."""
    content = recipe.model_dump(mode="json")
    return [_create_parameter(field, content) for field in recipe.kubeflow.parameters]


def run_arguments(recipe: Recipe) -> dict[str, Any]:
    """Returns the value of each parameter of the recipe, by the parameter's name."""
    return {parameter.name: parameter.default for parameter in list_parameters(recipe)}


def override_recipe(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Returns the recipe with other values in some fields.

    Args:
        values: Field, such as trainer.seed, to value; text is read as YAML unless the field
            holds text.

    Raises:
        ConfigError: A field is no parameter, or its value does not do.
    """
    known = {parameter.field: parameter for parameter in list_parameters(recipe)}
    content = recipe.model_dump(mode="json")
    for field, value in values.items():
        if field not in known:
            raise ConfigError(
                f"{field}: is no parameter of the pipeline; use one of {', '.join(known)}, or add "
                "it to kubeflow.parameters"
            )
        if isinstance(value, str) and known[field].kind != "STRING":
            value = read_value(field, value)
        put_value(content, field.split("."), value)
    return parse_recipe(content)


def _create_parameter(field: str, content: Mapping[str, Any]) -> RunParameter:
    value: Any = content
    for key in field.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise ConfigError(f"kubeflow.parameters: {field!r} is no field of the recipe")
        value = value[key]
    if not _is_free(field):
        raise ConfigError(
            f"kubeflow.parameters: {field!r} cannot change from run to run; it is part of the "
            "compiled pipeline, so leave it out here"
        )
    if value is None:
        raise ConfigError(
            f"kubeflow.parameters: {field!r} is null in the recipe, and a parameter needs a type; "
            "give the field a value"
        )
    name = field.replace(".", "_")
    return RunParameter(name, field, _KINDS[type(value)], value, _describe(field))


def _is_free(field: str) -> bool:
    """Whether the field may change from run to run, and a node does something else then."""
    sections = {section for node in NODES.values() for section in node.sections.values()}
    # Who has the whole recipe shows it.
    covered = any(_find_rest(field, section) is not None for section in sections if section)
    return covered and not any(field in node.fixed for node in NODES.values())


def _find_rest(field: str, section: str) -> tuple[str, ...] | None:
    """Returns the keys below a section, none where the field is not in it."""
    keys, above = field.split("."), section.split(".") if section else []
    return tuple(keys[len(above) :]) if keys[: len(above)] == above else None


@functools.cache
def _describe(field: str) -> str:
    """Returns what the docstrings of the recipe's classes say about a field."""
    kind: Any = Recipe
    text = field
    for key in field.split("."):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            documented = docstring_parser.parse(kind.__doc__ or "").params
            text = next((p.description or "" for p in documented if p.arg_name == key), text)
            kind = kind.model_fields[key].annotation
        else:
            # The key of a mapping: its value's class describes what is below.
            kind = (typing.get_args(kind) or (None,))[-1]
    return " ".join(text.split())

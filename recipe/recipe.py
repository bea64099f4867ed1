"""The recipe: one validated class, composed of the rooms' own, read from YAML.

Relative paths in a recipe are relative to the folder in which the command runs.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from darkroom.components.evaluator.config import EvaluationConfig
from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.pusher.config import PushConfig
from darkroom.components.validation import ValidationConfig
from darkroom.recipe.errors import ConfigError
from darkroom.recipe.kubeflow import KubeflowConfig
from darkroom.recipe.overrides import override, read_assignments
from darkroom.recipe.yaml_file import find_lines, read_yaml
from darkroom.records.suggestion import did_you_mean
from darkroom.trainer.config import TrainerConfig
from darkroom.transform import features
from darkroom.transform.config import TransformConfig

NO_LINES: Final[Mapping[str, int]] = MappingProxyType({})
VERSION: Final = 1
"""Of the form that recipes have."""
PATHS: Final = (
    "data.path",
    "validation.schema_path",
    "trainer.weights",
    "push.destination",
    "runs_folder",
)
"""Fields of places, in which `~` stands for the user's folder."""
_NAME: Final = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_NAME_LENGTH: Final = 63
"""Kubernetes takes no longer one."""


def make_name(text: str) -> str:
    """The nearest name of a pipeline; empty where the text has neither letter nor digit."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_NAME_LENGTH].strip("-")


class Recipe(BaseModel):
    """Everything a run depends on.

    Args:
        version: Of the form that recipes have.
        name: Name of the pipeline.
        data: Where images and labels are, and how they are split.
        validation: Schema and fatal anomalies.
        transform: Size of the tensor the model sees.
        trainer: Backbone, weights, phases.
        evaluation: Metrics, slices and bounds.
        push: Where a blessed model goes.
        runs_folder: Where runs, artifacts and ML Metadata are kept.
        beam_pipeline_args: Arguments for Beam. None is the fastest on one machine: Beam's default
            is one worker in this process, and with any argument TFX packs itself for remote
            workers before each Beam node.
        kubeflow: Resources, parameters and the like of a run on Kubeflow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    name: str = Field(json_schema_extra={"pattern": _NAME, "maxLength": _NAME_LENGTH})
    data: DataConfig
    validation: ValidationConfig = ValidationConfig()
    transform: TransformConfig = TransformConfig()
    trainer: TrainerConfig = TrainerConfig()
    evaluation: EvaluationConfig
    push: PushConfig
    runs_folder: Path = Path("runs")
    beam_pipeline_args: tuple[str, ...] = ()
    kubeflow: KubeflowConfig = KubeflowConfig()

    @field_validator("name")
    @classmethod
    def _can_name_a_pipeline(cls, name: str) -> str:
        if len(name) > _NAME_LENGTH or not re.fullmatch(_NAME, name):
            near = make_name(name)
            such_as = f", such as {near!r}" if near else ""
            raise ValueError(
                f"{name!r} does not do: use at most {_NAME_LENGTH} lower-case letters, digits and "
                f"hyphens, a hyphen neither first nor last{such_as}"
            )
        return name

    @field_validator("version")
    @classmethod
    def _is_known(cls, version: int) -> int:
        if version != VERSION:
            older = "docs/upgrading.md says what has changed since"
            raise ValueError(
                f"{version} is not {VERSION}, the form of recipes that this Darkroom reads; "
                f"{older if version < VERSION else 'a newer Darkroom may'}"
            )
        return version

    @model_validator(mode="after")
    def _slices_exist(self) -> "Recipe":
        known = {features.LABEL, *features.DESCRIPTORS, *self.data.metadata_columns}
        unknown = [name for name in self.evaluation.slices if name not in known]
        if unknown:
            raise ValueError(
                f"evaluation.slices: {unknown[0]!r} is no feature; use label, a descriptor such as "
                "width, or a column listed in data.metadata_columns"
            )
        return self


def load_recipe(path: Path, assignments: Sequence[str] = ()) -> Recipe:
    """Reads and validates a recipe.

    Args:
        assignments: Values that stand in the place of the file's, each FIELD=VALUE.

    Raises:
        ConfigError: The file cannot be read, is no YAML, says something twice, or something that
            cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = read_yaml(text)
    except OSError as error:
        raise ConfigError(
            f"--config: cannot read {str(path)!r} ({error.strerror}); give a recipe, "
            "such as configs/digits.yaml"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"--config: {str(path)!r} is no YAML: {_one_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"--config: {str(path)!r} should hold sections such as data and trainer, "
            f"it holds {type(content).__name__}"
        )
    values = read_assignments(assignments)
    override(content, values, _list_texts(Recipe))
    _expand_users(content)
    lines = {field: line for field, line in find_lines(text).items() if field not in values}
    return parse_recipe(content, lines)


def _expand_users(content: dict[str, Any]) -> None:
    """Puts the user's folder in the place of a `~` that a path begins with."""
    for name in PATHS:
        *sections, key = name.split(".")
        place: Any = content
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if isinstance(place, dict) and isinstance(place.get(key), str):
            place[key] = os.path.expanduser(place[key])  # noqa: PTH111 A URI is no path.


def _list_texts(section: type[BaseModel], within: str = "") -> list[str]:
    """Names of the fields that hold text."""
    found = []
    for key, field in section.model_fields.items():
        if field.annotation is str:
            found.append(f"{within}{key}")
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _list_texts(field.annotation, f"{within}{key}.")
    return found


def parse_recipe(content: dict[str, Any], lines: Mapping[str, int] = NO_LINES) -> Recipe:
    """Validates what a recipe file holds.

    Args:
        lines: The line that each field stands in, for messages.

    Raises:
        ConfigError: It says something that cannot be.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(error, lines))) from error


def _describe(error: ValidationError, lines: Mapping[str, int]) -> Iterator[str]:
    for fault in error.errors():
        yield _describe_fault(fault) + _say_line(fault["loc"], lines)


def _say_line(location: tuple[int | str, ...], lines: Mapping[str, int]) -> str:
    """Where the field stands, or the section that lacks it; empty where it is not in the file."""
    for end in range(len(location), 0, -1):
        line = lines.get(".".join(map(str, location[:end])))
        if line:
            return f" (line {line})"
    return ""


def _describe_fault(fault: Any) -> str:
    below = fault.get("ctx", {}).get("below", ())
    field = ".".join(str(part) for part in (*fault["loc"], *below))
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        return f"{field}: unknown key; {_known_keys(fault['loc'])}"
    if fault["type"] == "missing":
        return f"{field}: is missing; add it to the recipe"
    if fault["type"] == "value_error":
        return f"{field}: {message}" if field else message
    received = repr(fault["input"])[:80]
    return f"{field}: {received} does not do: {message[:1].lower()}{message[1:]}"


def _known_keys(location: tuple[int | str, ...]) -> str:
    """The keys of the section in which the last part of `location` is not known."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return "remove it"
        section = kind
    return did_you_mean(str(location[-1]), section.model_fields)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

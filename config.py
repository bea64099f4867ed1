"""The recipe: one validated class, composed of the rooms' own, read from YAML.

Relative paths in a recipe are relative to the folder in which the command runs.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.evaluator.config import EvaluationConfig
from components.image_example_gen.config import DataConfig
from components.pusher.config import PushConfig
from components.validation import ValidationConfig
from kubeflow.config import KubeflowConfig
from trainer.config import TrainerConfig
from transform import features
from transform.config import TransformConfig

_MERGE: Final = "tag:yaml.org,2002:merge"
"""What YAML calls the key `<<`."""


class ConfigError(Exception):
    """A recipe that cannot be used; each line names the field, the value and the remedy."""


class Recipe(BaseModel):
    """Everything a run depends on.

    Args:
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

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
    data: DataConfig
    validation: ValidationConfig = ValidationConfig()
    transform: TransformConfig = TransformConfig()
    trainer: TrainerConfig = TrainerConfig()
    evaluation: EvaluationConfig
    push: PushConfig
    runs_folder: Path = Path("runs")
    beam_pipeline_args: tuple[str, ...] = ()
    kubeflow: KubeflowConfig = KubeflowConfig()

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


def load_recipe(path: Path) -> Recipe:
    """Reads and validates a recipe.

    Args:
        path: A YAML file.

    Returns:
        The recipe.

    Raises:
        ConfigError: The file cannot be read, is no YAML, says something twice, or something that
            cannot be.
    """
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
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
    return parse_recipe(content)


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


def parse_recipe(content: dict[str, Any]) -> Recipe:
    """Validates what a recipe file holds.

    Raises:
        ConfigError: It says something that cannot be.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(error))) from error


def _describe(error: ValidationError) -> Iterator[str]:
    for fault in error.errors():
        below = fault.get("ctx", {}).get("below", ())
        field = ".".join(str(part) for part in (*fault["loc"], *below))
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            yield f"{field}: unknown key; {_known_keys(fault['loc'])}"
        elif fault["type"] == "missing":
            yield f"{field}: is missing; add it to the recipe"
        elif fault["type"] == "value_error":
            yield f"{field}: {message}" if field else message
        else:
            received = repr(fault["input"])[:80]
            yield f"{field}: {received} does not do: {message[:1].lower()}{message[1:]}"


def _known_keys(location: tuple[int | str, ...]) -> str:
    """The keys of the section in which the last part of `location` is not known."""
    section: type[BaseModel] = Recipe
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return "remove it"
        section = kind
    return f"use one of {', '.join(section.model_fields)}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

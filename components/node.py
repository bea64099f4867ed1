"""What a node is, told once: all that recipe, runtimes and report have to know of it.

A declaration imports neither TFX nor what the node does: reading a recipe needs it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class WorldState:
    """What the world outside the recipe holds; part of a node's cache key.

    Attributes:
        name: Its name in `darkroom.pipeline.InputState` and among the pipeline's parameters.
        location: Field of the recipe that says where to look, such as data.path.
        read: From the recipe to the state as text; raises ComponentError or StorageError.
        property: The node's execution property that holds it; empty: read when the node runs.
        description: What users of the pipeline's parameters are told.
    """

    name: str
    location: str
    read: Callable[[Any], str]
    property: str
    description: str


@dataclass(frozen=True)
class SideFile:
    """A file that a node reads beside its inputs; its content is part of the node's cache key.

    Attributes:
        field: Field of the recipe that says which one, such as trainer.weights.
        find: From the recipe to the file, or None.
    """

    field: str
    find: Callable[[Any], Path | None]


@dataclass(frozen=True)
class NodeSpec:
    """A node of the DAG.

    Attributes:
        name: Its id, which is the name of its class.
        sections: Place in its execution properties to the section of the recipe that stands there;
            "" is all of it. The first part of a place names the property, the others are keys in
            the JSON that it holds.
        fixed: Fields of the recipe on which the shape of the graph depends here, or a property
            that holds no JSON; they cannot change from run to run.
        state: What of the world it reads, if anything.
        file: The file that it reads beside its inputs, if any.
        is_cached: Whether it may come from the cache.
        is_divisible: Whether several workers can do its work together.
    """

    name: str
    sections: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    state: WorldState | None = None
    file: SideFile | None = None
    is_cached: bool = True
    is_divisible: bool = False

    @property
    def task_name(self) -> str:
        """Name of its task on Kubeflow: ImageExampleGen's is image-example-gen."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", self.name).lower()

    def find_file(self, recipe: Any) -> Path | None:
        """Returns the file that it reads beside its inputs, for a recipe."""
        return self.file.find(recipe) if self.file else None

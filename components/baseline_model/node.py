"""What BaselineModel is."""

from typing import Final

from darkroom.components.node import NodeSpec, WorldState
from darkroom.storage.versions.place import served_version

BASELINE_MODEL: Final = NodeSpec(
    "BaselineModel",
    {("destination",): "push.destination"},
    state=WorldState(
        name="served_version",
        location="push.destination",
        read=lambda recipe: served_version(recipe.push.destination),
        property="served",
        description="The version that is served now; empty: looked up when the run gets there.",
    ),
)

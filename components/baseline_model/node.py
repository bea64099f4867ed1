"""What BaselineModel is."""

from typing import Final

from darkroom.components.node import NodeSpec, WorldState
from darkroom.components.pusher.config import PushConfig
from darkroom.storage.versions.place import served_version


def _read(push: PushConfig) -> str:
    return served_version(push.destination)


BASELINE_MODEL: Final = NodeSpec(
    "BaselineModel",
    {("destination",): "push.destination"},
    state=WorldState(
        name="served_version",
        location="push.destination",
        read=_read,
        property="served",
        description="The version that is served now; empty: looked up when the run gets there.",
    ),
)

"""What RunReport is."""

from typing import Final

from darkroom.components.node import NodeSpec

RUN_REPORT: Final = NodeSpec(
    "RunReport",
    {("recipe",): ""},
    # Each run gets a report of its own.
    is_cached=False,
)

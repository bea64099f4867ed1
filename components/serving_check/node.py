"""What ServingCheck is."""

from typing import Final

from darkroom.components.node import NodeSpec

SERVING_CHECK: Final = NodeSpec("ServingCheck")

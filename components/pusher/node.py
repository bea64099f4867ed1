"""What Pusher is."""

from typing import Final

from darkroom.components.node import NodeSpec

PUSHER: Final = NodeSpec(
    "Pusher",
    {("push",): "push"},
    # An emptied serving folder must be filled again.
    is_cached=False,
)

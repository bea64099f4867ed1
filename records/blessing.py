"""What a node says of a model that it judged: custom properties of its blessing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from darkroom.records.artifacts import set_properties

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact


@dataclass(frozen=True)
class Blessing:
    """A judgement.

    Attributes:
        blessed: Whether the model may be pushed.
        reason: Why not; may be empty.
    """

    blessed: bool
    reason: str = ""

    def write(self, artifact: "Artifact") -> None:
        """Sets `blessed` (1 or 0), which TFX reads as well, and `reason`."""
        set_properties(artifact, {"blessed": int(self.blessed), "reason": self.reason})

    @classmethod
    def read(cls, properties: Mapping[str, Any]) -> "Blessing":
        """The judgement in an artifact's custom properties; without any, it is no."""
        return cls(properties.get("blessed") == 1, properties.get("reason", ""))

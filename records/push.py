"""What Pusher did: custom properties of its artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from darkroom.records.artifacts import set_properties

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

PushState = Literal["pushed", "unchanged", "not_blessed", "withdrawn"]


@dataclass(frozen=True)
class PushOutcome:
    """What became of the candidate.

    Attributes:
        state: Whether it was pushed; `unchanged`: it is served already; `withdrawn`: somebody took
            this very model out of service.
        version: Version that is served now, 0 where there is none.
        destination: Where that is; may be empty.
        reason: Why nothing was pushed; may be empty.
    """

    state: PushState
    version: int = 0
    destination: str = ""
    reason: str = ""

    def write(self, artifact: "Artifact") -> None:
        """Sets the custom properties, and `pushed`, 1 or 0."""
        set_properties(
            artifact,
            {
                "push_state": self.state,
                "pushed": int(self.state == "pushed"),
                "pushed_version": self.version,
                "pushed_destination": self.destination,
                "reason": self.reason,
            },
        )

    @classmethod
    def read(cls, properties: Mapping[str, Any]) -> "PushOutcome | None":
        """The outcome in an artifact's custom properties, or None."""
        if "push_state" not in properties:
            return None
        return cls(
            properties["push_state"],
            int(properties.get("pushed_version", 0)),
            properties.get("pushed_destination", ""),
            properties.get("reason", ""),
        )

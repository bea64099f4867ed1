"""How many rows became what: custom properties of the ingest's two artifacts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from darkroom.records.artifacts import read_properties, set_properties

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

_TRAIN: Final = "examples_train"
_EVAL: Final = "examples_eval"
_QUARANTINED: Final = "quarantined"


@dataclass(frozen=True)
class ExampleCounts:
    """Counts of the splits' examples and of quarantined rows; None for what is not known."""

    train: int | None = None
    eval: int | None = None
    quarantined: int | None = None

    def write(self, examples: "Artifact", quarantine: "Artifact") -> None:
        """Sets `examples_train` and `examples_eval` of one, and what all rows became of the other.

        The quarantine gets `rows`, `examples` and `quarantined`; the first is the sum of the
        others.

        Raises:
            ValueError: A count is not known.
        """
        if self.train is None or self.eval is None or self.quarantined is None:
            raise ValueError(f"{self} is not complete; only what is known can be written")
        total = self.train + self.eval
        set_properties(examples, {_TRAIN: self.train, _EVAL: self.eval})
        rows = {"rows": total + self.quarantined, "examples": total}
        set_properties(quarantine, {**rows, _QUARANTINED: self.quarantined})

    @classmethod
    def read(cls, artifacts: Iterable["Artifact"]) -> "ExampleCounts":
        """What is known from the custom properties of any of the artifacts; the first counts."""
        known: dict[str, float] = {}
        for artifact in artifacts:
            known = read_properties(artifact) | known
        numbers = (known.get(name) for name in (_TRAIN, _EVAL, _QUARANTINED))
        return cls(*(None if number is None else int(number) for number in numbers))

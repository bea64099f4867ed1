"""How many rows became what: custom properties of the ingest's two artifacts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from darkroom.records.artifacts import read_properties, set_properties

if TYPE_CHECKING:
    from tfx.types.artifact import Artifact

_SPLITS: Final = ("train", "eval", "test")


@dataclass(frozen=True)
class ExampleCounts:
    """Counts of the splits' examples and of quarantined rows; None for what is not known."""

    train: int | None = None
    eval: int | None = None
    test: int | None = None
    quarantined: int | None = None

    def write(self, examples: "Artifact", quarantine: "Artifact", skipped: int = 0) -> None:
        """Sets `examples_train` and so on of one, and what all rows became of the other.

        The quarantine gets `rows`, `examples`, `quarantined` and `skipped`; the first is the sum
        of the others.

        Raises:
            ValueError: A count is not known.
        """
        splits = {f"examples_{split}": getattr(self, split) for split in _SPLITS}
        if None in splits.values() or self.quarantined is None:
            raise ValueError(f"{self} is not complete; only what is known can be written")
        set_properties(examples, splits)
        total = sum(splits.values())
        rows = {"rows": total + self.quarantined + skipped, "examples": total}
        set_properties(quarantine, {**rows, "quarantined": self.quarantined, "skipped": skipped})

    @classmethod
    def read(cls, artifacts: Iterable["Artifact"]) -> "ExampleCounts":
        """What is known from the custom properties of any of the artifacts; the first counts."""
        known: dict[str, float] = {}
        for artifact in artifacts:
            known = read_properties(artifact) | known
        names = {split: f"examples_{split}" for split in _SPLITS} | {"quarantined": "quarantined"}
        return cls(**{key: int(known[name]) for key, name in names.items() if name in known})

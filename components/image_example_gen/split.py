"""Places rows in splits: by a hash, and where that leaves a class out, the nearest ones anew."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

TRAIN: Final = "train"
EVAL: Final = "eval"
TEST: Final = "test"
SPLITS: Final[tuple[str, ...]] = (TRAIN, EVAL, TEST)
"""The most needed first."""
_TOLERANCE: Final = 0.25
"""Groups are moved where a split is farther from its share than this part of the share."""


_SETTLED: Final = 64
"""A class with so many images in a split can spare those that another class has too."""


class Member(NamedTuple):
    """What decides the split of an example.

    Attributes:
        label: Its class.
        group: Value of the group column, or empty.
        digest: SHA-256 of its image's bytes.
    """

    label: str
    group: str
    digest: bytes

    @property
    def key(self) -> bytes:
        """Equal for examples that go together, as far as they show it themselves."""
        return b"group:" + self.group.encode() if self.group else b"image:" + self.digest


@dataclass(frozen=True)
class SplitPlan:
    """How rows without a given split are placed.

    Attributes:
        fractions: Share by split that is drawn, but for train; empty: all splits are given.
        salt: Another one draws other splits.
        moved: Splits by key, where they are others than the hash says.
    """

    fractions: Mapping[str, float] = field(default_factory=dict)
    salt: str = ""
    moved: Mapping[bytes, str] = field(default_factory=dict)

    def draws(self, split: str) -> bool:
        """Whether a row's given split, empty for none, is divided further."""
        return bool(self.fractions) and split in ("", TRAIN)

    def choose(self, member: Member) -> str:
        """The split of an example whose split is drawn."""
        return self.moved.get(member.key) or self.place(self.position(member.key))

    def position(self, key: bytes) -> float:
        """A place between 0 and 1 that depends on nothing else."""
        digest = hashlib.sha256(self.salt.encode() + b"\0" + key).digest()
        return int.from_bytes(digest[:8], "big") / 2**64

    def place(self, position: float) -> str:
        """The split at a place: eval has the lowest, then test, then train."""
        for split, fraction in self.fractions.items():
            if position < fraction:
                return split
            position -= fraction
        return TRAIN


@dataclass(slots=True)
class _Unit:
    """Examples that cannot be divided: of one group, or of one image, or linked by either."""

    key: bytes
    position: float
    split: str
    labels: Counter[str] = field(default_factory=Counter)


def plan_splits(
    members: Iterable[Member], fractions: Mapping[str, float], salt: str, grouped: bool
) -> tuple[SplitPlan, list[str]]:
    """Places examples so that each class is in each split as soon as it has enough of them.

    What the hash says of a key stays true as long as no class misses a split: rows then keep their
    splits when others come or go. Else the fewest keys that will do are moved, those nearest to
    the border.

    Args:
        members: Of all examples whose split is drawn.
        fractions: Share by split, but for train.
        salt: Another one draws other splits.
        grouped: Whether some have a group. Without any, large classes take no more memory.

    Returns:
        The plan, and the labels of the classes that miss a split all the same.
    """
    plan = SplitPlan(fractions, salt)
    units = _unite(members if grouped else _drop_settled(members, plan), plan)
    if grouped:
        for split, fraction in fractions.items():
            _approach(split, fraction, list(units.values()))
    missing = _fill(list(units.values()), (TRAIN, *fractions))
    moved = {
        key: unit.split
        for key, unit in units.items()
        if unit.split != plan.place(plan.position(key))
    }
    return SplitPlan(fractions, salt, moved), missing


def _drop_settled(members: Iterable[Member], plan: SplitPlan) -> Iterator[Member]:
    """Without most of those whose class has so many in each split that none will be moved."""
    seen: dict[str, dict[str, set[bytes]]] = {}
    for member in members:
        held = seen.setdefault(member.label, {split: set() for split in (TRAIN, *plan.fractions)})
        if min(map(len, held.values())) < _SETTLED:
            held[plan.choose(member)].add(member.digest)
            yield member


def _unite(members: Iterable[Member], plan: SplitPlan) -> dict[bytes, _Unit]:
    """The unit of each key; keys that share an image share a unit."""
    above: dict[bytes, bytes] = {}
    by_image: dict[bytes, bytes] = {}
    labels: dict[bytes, Counter[str]] = defaultdict(Counter)

    def find(key: bytes) -> bytes:
        while (upper := above.get(key, key)) != key:
            key = upper
        return key

    for member in members:
        key = member.key
        labels[key][member.label] += 1
        first, second = find(key), find(by_image.setdefault(member.digest, key))
        if first != second:
            # The least key stands for all, whatever order they come in.
            above[max(first, second)] = min(first, second)
    units: dict[bytes, _Unit] = {}
    for key, counts in labels.items():
        root = find(key)
        if root not in units:
            position = plan.position(root)
            units[root] = _Unit(root, position, plan.place(position))
        units[root].labels.update(counts)
        units[key] = units[root]
    return units


def _approach(split: str, fraction: float, units: Sequence[_Unit]) -> None:
    """Moves units between a split and train until its share of the examples is near enough."""
    distinct = sorted({id(unit): unit for unit in units}.values(), key=lambda unit: unit.position)
    total = sum(unit.labels.total() for unit in distinct)
    excess = sum(u.labels.total() for u in distinct if u.split == split) - fraction * total
    source, target = (split, TRAIN) if excess > 0 else (TRAIN, split)
    for unit in reversed(distinct) if excess > 0 else distinct:
        if abs(excess) <= _TOLERANCE * fraction * total:
            return
        size = unit.labels.total()
        after = excess + size if target == split else excess - size
        if unit.split == source and abs(after) < abs(excess):
            unit.split, excess = target, after


def _fill(units: Sequence[_Unit], wanted: Sequence[str]) -> list[str]:
    """Moves units so that classes are in the wanted splits; labels of those that cannot be."""
    distinct = sorted({id(unit): unit for unit in units}.values(), key=lambda unit: unit.position)
    held: dict[str, list[_Unit]] = defaultdict(list)
    for unit in distinct:
        for label in unit.labels:
            held[label].append(unit)
    counts = {label: Counter(unit.split for unit in own) for label, own in held.items()}
    missing: list[str] = []
    for label in sorted(held, key=lambda label: (len(held[label]), label)):
        for split in wanted:
            if counts[label][split]:
                continue
            spare = _find_spare(held[label], label, split, counts)
            if spare is None:
                missing.append(label)
                break
            for each in spare.labels:
                counts[each][spare.split] -= 1
                counts[each][split] += 1
            spare.split = split
    return missing


def _find_spare(
    units: Sequence[_Unit], label: str, split: str, counts: Mapping[str, Counter[str]]
) -> _Unit | None:
    """The unit of a class that can go to a split and leaves no class without a better one."""

    def is_spare(unit: _Unit) -> bool:
        lesser = SPLITS.index(unit.split) > SPLITS.index(split)
        return all(
            counts[each][unit.split] > 1 or (lesser and each == label) for each in unit.labels
        )

    spare = [unit for unit in units if is_spare(unit)]
    # The fullest split gives; to train what lies nearest to it, else from the other end.
    spare.sort(key=lambda unit: counts[label][unit.split], reverse=True)
    fullest = [unit for unit in spare if unit.split == spare[0].split]
    return (fullest[-1] if split == TRAIN else fullest[0]) if fullest else None

"""Who goes to which split: together what belongs together, each class everywhere, and it stays."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.components.image_example_gen.split import (
    EVAL,
    TEST,
    TRAIN,
    Member,
    SplitPlan,
    plan_splits,
)

FRACTIONS = {EVAL: 0.2, TEST: 0.1}
DIGESTS = [number.to_bytes(32, "big") for number in range(4000)]


def draw(members, fractions=FRACTIONS, salt=""):
    plan, missing = plan_splits(members, fractions, salt, any(m.group for m in members))
    return [plan.choose(member) for member in members], missing


def place_images(label, numbers):
    return [Member(label, "", DIGESTS[number]) for number in numbers]


images = st.lists(
    st.builds(
        Member,
        st.sampled_from(["cat", "dog", "rat"]),
        st.just(""),
        st.sampled_from(DIGESTS[:60]),
    ),
    max_size=60,
)
grouped = st.lists(
    st.builds(
        Member,
        st.sampled_from(["cat", "dog"]),
        st.sampled_from(["", *"abcdefgh"]),
        st.sampled_from(DIGESTS[:40]),
    ),
    max_size=60,
)


@given(members=st.one_of(images, grouped))
def test_neither_an_image_nor_a_group_straddles(members):
    splits, _ = draw(members)
    for key in (lambda m: m.digest, lambda m: m.group or None):
        found = defaultdict(set)
        for member, split in zip(members, splits, strict=True):
            if key(member) is not None:
                found[key(member)].add(split)
        assert all(len(each) == 1 for each in found.values())


@given(members=images)
def test_each_class_is_in_each_split_as_soon_as_it_has_images_enough(members):
    splits, missing = draw(members)
    found, distinct, shared = defaultdict(set), defaultdict(set), Counter()
    for member, split in zip(members, splits, strict=True):
        found[member.label].add(split)
        distinct[member.label].add(member.digest)
    for digests in distinct.values():
        shared.update(digests)
    for label, digests in distinct.items():
        # One that is of several classes may be held where another class needs it.
        own = sum(shared[digest] == 1 for digest in digests)
        assert len(found[label]) == 3 or own < 3
        assert TRAIN in found[label] or not own
        assert (label in missing) == (len(found[label]) < 3)


@given(members=grouped)
def test_the_order_of_the_rows_does_not_count(members):
    forwards, _ = draw(members)
    backwards, _ = draw(members[::-1])
    assert forwards == backwards[::-1]


@given(kept=images, more=images)
def test_rows_stay_where_they_are_when_others_come(kept, more):
    before, _ = plan_splits(kept, FRACTIONS, "", False)
    after, _ = plan_splits([*kept, *more], FRACTIONS, "", False)
    changed = {m.key for m in kept if before.choose(m) != after.choose(m)}
    assert changed <= {*before.moved, *after.moved}
    assert len(after.moved) <= 6, "for each class one image for each split but the fullest"


@pytest.mark.parametrize("salt", ["", "a", "b"])
def test_classes_of_some_size_never_change(salt):
    members = [m for c in range(4) for m in place_images(f"c{c}", range(c * 500, c * 500 + 200))]
    before, _ = draw(members, salt=salt)
    grown = [*members, *place_images("c0", range(2000, 2300)), *place_images("new", [3000])]
    after, missing = draw(grown, salt=salt)
    assert after[: len(before)] == before
    assert missing == ["new"]


def test_only_images_of_small_classes_are_moved():
    members = [m for c in range(3) for m in place_images(f"c{c}", range(c * 900, 2000 + c * 900))]
    members += place_images("few", [0, 1, 2])
    plan, missing = plan_splits(members, FRACTIONS, "", grouped=False)
    assert missing == []
    assert set(plan.moved) <= {member.key for member in members[-3:]}
    assert len({plan.choose(member) for member in members[-3:]}) == 3


def test_the_fractions_are_met_and_the_salt_draws_other_splits():
    members = place_images("a", range(4000))
    (first, _), (second, _) = draw(members), draw(members, salt="x")
    assert abs(first.count(EVAL) / 4000 - 0.2) < 0.03
    assert abs(first.count(TEST) / 4000 - 0.1) < 0.02
    both = sum(a == b == EVAL for a, b in zip(first, second, strict=True))
    assert abs(both / 4000 - 0.04) < 0.02


def test_a_test_split_is_taken_from_train_and_leaves_eval_as_it_was():
    members = place_images("a", range(1000))
    without, _ = draw(members, {EVAL: 0.2})
    with_test, _ = draw(members)
    pairs = Counter(zip(without, with_test, strict=True))
    assert set(pairs) == {(EVAL, EVAL), (TRAIN, TRAIN), (TRAIN, TEST)}


@given(sizes=st.lists(st.integers(1, 20), min_size=5, max_size=30), salt=st.sampled_from(["", "x"]))
def test_groups_come_as_near_to_the_fraction_as_they_allow(sizes, salt):
    members = [
        Member("a", f"group {number}", bytes([number, each]) * 16)
        for number, size in enumerate(sizes)
        for each in range(size)
    ]
    splits, missing = draw(members, {EVAL: 0.2}, salt)
    assert not missing
    wanted = 0.2 * len(members)
    assert abs(splits.count(EVAL) - wanted) <= max(0.25 * wanted, max(sizes))


@pytest.mark.parametrize(
    ("count", "expected", "missing"), [(1, {TRAIN}, ["a"]), (2, {TRAIN, EVAL}, ["a"]), (3, 3, [])]
)
@pytest.mark.parametrize("salt", list("abcdefgh"))
def test_the_few_images_of_a_class_go_where_they_are_needed_most(count, expected, missing, salt):
    splits, found = draw(place_images("a", range(count)), salt=salt)
    assert set(splits) == ({TRAIN, EVAL, TEST} if expected == 3 else expected)
    assert found == missing


def test_what_is_given_is_not_drawn():
    assert not SplitPlan().draws("")
    plan = SplitPlan({EVAL: 0.2})
    assert [plan.draws(split) for split in ("", TRAIN, EVAL, TEST)] == [True, True, False, False]

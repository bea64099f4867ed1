"""Which version is served, in folders and in object stores."""

import time
from pathlib import Path

import pytest

from darkroom.storage.errors import ServingPlaceError, VersionError
from darkroom.storage.versions.lifecycle import (
    find_served,
    list_versions,
    promote,
    remove,
    roll_back,
)
from darkroom.storage.versions.place import open_place


@pytest.fixture
def numbers(serving, model):
    """Three versions of three models."""
    pushed = []
    for content in (b"first", b"second", b"third"):
        (model / "variables/part-0").write_bytes(content)
        pushed.append(open_place(serving.uri).add(model, lambda copy: None).number)
    return pushed


def states(serving):
    return {each.number: each.state for each in list_versions(serving.uri)}


def test_a_file_of_a_version_is_read_withdrawn_or_not(serving, numbers):
    place = open_place(serving.uri)
    roll_back(serving.uri)
    content = {each.number: place.read(each, "variables/part-0") for each in place.versions()}
    assert content == dict(zip(numbers, (b"first", b"second", b"third"), strict=True))
    assert [place.read(each, "variables") for each in place.versions()] == [None] * 3
    assert [place.read(each, "assets.extra/nothing") for each in place.versions()] == [None] * 3


def test_the_newest_in_place_is_served(serving, numbers):
    assert [each.number for each in list_versions(serving.uri)] == numbers[::-1]
    assert states(serving) == dict(zip(numbers, ("older", "older", "served"), strict=True))
    assert find_served(serving.uri).path in (
        f"{serving.uri}/{numbers[2]}",
        Path(serving.uri, str(numbers[2])),
    )


def test_a_rollback_holds_and_is_taken_back_whole(serving, numbers, tmp_path):
    place = open_place(serving.uri)
    digest = place.digest(place.newest())
    assert roll_back(serving.uri).number == numbers[1]
    assert states(serving) == dict(zip(numbers, ("older", "served", "withdrawn"), strict=True))
    assert place.withdrawn() == {digest: numbers[2]}
    assert promote(serving.uri, numbers[2]).number == numbers[2]
    assert place.withdrawn() == {}
    assert place.digest(place.newest()) == digest


def test_an_old_withdrawn_version_is_promoted(serving, numbers):
    assert roll_back(serving.uri, numbers[0]).number == numbers[0]
    assert promote(serving.uri, numbers[1]).number == numbers[1]
    assert states(serving) == dict(zip(numbers, ("older", "served", "withdrawn"), strict=True))


def test_the_next_number_is_above_the_withdrawn_ones(serving, numbers, model):
    roll_back(serving.uri, numbers[0])
    added = open_place(serving.uri).add(model, lambda copy: None)
    assert added.number > numbers[2] and added.number >= int(time.time()) - 60


def test_what_is_not_there_is_refused(serving, numbers):
    before = states(serving)
    with pytest.raises(VersionError, match="there is no version 5 below it"):
        roll_back(serving.uri, 5)
    with pytest.raises(VersionError, match=f"has no version 5; it has {numbers[2]}, {numbers[1]}"):
        promote(serving.uri, 5)
    with pytest.raises(VersionError, match="is served; roll back"):
        remove(serving.uri, find_served(serving.uri))
    assert states(serving) == before


def test_the_only_version_is_not_taken_away(serving, numbers):
    roll_back(serving.uri, numbers[0])
    with pytest.raises(VersionError, match="is served, and there is no older version"):
        roll_back(serving.uri)
    for version in list_versions(serving.uri):
        if version.state != "served":
            remove(serving.uri, version)
    assert states(serving) == {numbers[0]: "served"}


def test_of_nothing_nothing_is_rolled_back(serving):
    with pytest.raises(VersionError, match="holds no version; a run that is blessed pushes one"):
        roll_back(serving.uri)


def test_who_polls_a_folder_sees_one_change(tmp_path, model, monkeypatch):
    place = open_place(str(tmp_path / "serving"))
    numbers = [place.add(model, lambda copy: None).number for _ in range(3)]
    seen = []
    rename = Path.rename

    def watched(self, target):
        moved = rename(self, target)
        seen.append(place.newest().number)
        return moved

    monkeypatch.setattr(Path, "rename", watched)
    roll_back(str(tmp_path / "serving"), numbers[0])
    assert seen == [numbers[2], numbers[0]]


@pytest.mark.parametrize("cut", range(1, 45, 9))
def test_a_move_in_a_bucket_that_is_cut_short_is_finished_by_the_next(
    any_bucket, model, monkeypatch, cut
):
    serving = any_bucket("s3")
    place = open_place(serving.uri)
    numbers = [place.add(model, lambda copy: None).number]
    (model / "variables/part-0").write_bytes(b"another")
    numbers.append(place.add(model, lambda copy: None).number)
    calls = iter(range(cut))

    def cut_short(*arguments):
        if next(calls, None) is None:
            raise ServingPlaceError("the connection broke off")
        return move(*arguments)

    from darkroom.storage.object_store import ObjectStore

    move = ObjectStore.move
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "move", cut_short)
        try:
            roll_back(serving.uri)
            promote(serving.uri, numbers[1])
        except ServingPlaceError:
            pass
    assert find_served(serving.uri).number in numbers
    promote(serving.uri, numbers[0])
    assert states(serving) == {numbers[0]: "served", numbers[1]: "withdrawn"}
    promote(serving.uri, numbers[1])
    assert states(serving) == {numbers[0]: "older", numbers[1]: "served"}
    assert place.withdrawn() == {}

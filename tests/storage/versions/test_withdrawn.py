"""What was taken out of service stays out, in folders and in object stores."""

from pathlib import Path

import pytest

from darkroom.storage.errors import StorageError
from darkroom.storage.fingerprint import model_digest
from darkroom.storage.object_store import Location, ObjectStore
from darkroom.storage.versions.place import open_place
from darkroom.storage.versions.withdrawn import explain_withdrawn, withdrawn_name, withdrawn_number
from darkroom.tests.storage.versions.conftest import Folder


def keep(copy: Path) -> None:
    """Prepares nothing."""


def test_a_withdrawn_model_is_known_after_its_copy_was_deleted_too(serving, model):
    place = open_place(serving.uri)
    assert place.withdrawn() == {}
    version = place.add(model, keep).number
    assert place.withdrawn() == {}
    serving.move(str(version), f".{version}.withdrawn")
    assert place.newest() is None
    assert place.withdrawn() == {model_digest(model): version}
    serving.remove(f".{version}.withdrawn")
    assert place.withdrawn() == {model_digest(model): version}


def test_somebody_may_say_that_it_counts_no_more(serving, model):
    place = open_place(serving.uri)
    version = place.add(model, keep).number
    serving.move(str(version), f".{version}.withdrawn")
    assert place.withdrawn()
    serving.move(f".{version}.withdrawn", str(version))
    assert place.withdrawn() == {}
    serving.remove(str(version))
    assert place.withdrawn() == {}, "an emptied place is filled again"
    again = place.add(model, keep).number
    serving.move(str(again), f".{again}.withdrawn")
    assert place.withdrawn()
    serving.remove(f".{again}.withdrawn")
    serving.remove(f".withdrawn/{again}")
    assert place.withdrawn() == {}


@pytest.mark.parametrize("noted", [False, True])
def test_the_number_of_a_withdrawn_version_is_not_given_again(serving, model, noted):
    place = open_place(serving.uri)
    version = place.add(model, keep).number
    # A clock that was ahead, so that the time itself does not lead to another number.
    ahead = version + 10_000
    serving.move(str(version), f".{ahead}.withdrawn")
    if noted:
        place.withdrawn()
        serving.remove(f".{ahead}.withdrawn")
    assert place.add(model, keep).number == ahead + 1


def test_another_model_is_not_held_back_and_odd_names_say_nothing(serving, model):
    place = open_place(serving.uri)
    version = place.add(model, keep).number
    for name in (f"{version}.withdrawn", f".0{version}.withdrawn", ".x.withdrawn", ".7.partial"):
        serving.move(str(version), name)
        assert place.withdrawn() == {}
        serving.move(name, str(version))
    serving.move(str(version), f".{version}.withdrawn")
    (model / "saved_model.pb").write_bytes(b"another graph")
    assert model_digest(model) not in place.withdrawn()


def test_a_version_that_is_still_being_moved_stops_the_push(any_bucket, model):
    serving = any_bucket("s3")
    place = open_place(serving.uri)
    version = place.add(model, keep).number
    serving.move(f"{version}/saved_model.pb", f".{version}.withdrawn/saved_model.pb")
    with pytest.raises(StorageError, match="only partly withdrawn") as refused:
        place.withdrawn()
    assert "\n" not in str(refused.value)
    serving.move(str(version), f".{version}.withdrawn")
    assert place.withdrawn() == {model_digest(model): version}


def test_the_digest_comes_with_a_version_that_the_store_moved(any_bucket, servers, model):
    serving = any_bucket("s3")
    place = open_place(serving.uri)
    version = place.add(model, keep).number
    files = ObjectStore(Location.parse(serving.uri))._files
    base = f"bucket/models/digits/{version}"
    for name in files.find(base):
        files.mv(name, name.replace(f"/{version}/", f"/.{version}.withdrawn/"))
    servers["s3"].requests.clear()
    assert place.withdrawn() == {model_digest(model): version}
    assert not [request for request in servers["s3"].requests if "bytes=" in request]


def test_a_place_that_cannot_be_noted_in_is_one_line(tmp_path, model):
    place = open_place(str(tmp_path / "serving"))
    version = place.add(model, keep).number
    serving = Folder(tmp_path / "serving")
    serving.move(str(version), f".{version}.withdrawn")
    (tmp_path / "serving" / ".withdrawn").touch()
    with pytest.raises(StorageError, match=r"^push\.destination: cannot write to"):
        place.withdrawn()


def test_names_and_words():
    assert withdrawn_number(withdrawn_name(7)) == 7
    said = explain_withdrawn("models/digits/", 7)
    assert "models/digits/.7.withdrawn to 7" in said
    assert "models/digits/.withdrawn/7" in said

import itertools
import random
import shutil
import threading
import time

import pytest

from darkroom.components.pusher.config import PushConfig
from darkroom.storage.errors import ServingPlaceError
from darkroom.storage.fingerprint import model_digest
from darkroom.storage.object_store import Location, ObjectStore, write_bytes
from darkroom.storage.versions.claims import ABANDONED_AFTER_S
from darkroom.storage.versions.place import open_place, served_version
from darkroom.tests.storage.bucket_server import refuse
from darkroom.tests.storage.disturbed_server import kill_at
from darkroom.tests.storage.killed import push, warm_up
from darkroom.tests.storage.two_writers import create_at_the_same_moment

URI = "s3://bucket/models/digits"
OTHER = b'["another machine", 1, "1", "x"]'


def versions(server):
    """Names of the files of each version."""
    found = {}
    for name in server.objects("bucket"):
        version, _, file = name.removeprefix("models/digits/").partition("/")
        if version.isdecimal():
            found.setdefault(int(version), set()).add(file)
    return found


def downloads(server):
    return [request for request in server.requests if "bytes=" in request]


def test_a_version_is_pushed_found_and_copied(bucket, model, tmp_path):
    place = open_place(URI)
    assert place.newest() is None
    assert served_version(URI) == "none"
    first = place.add(model, warm_up)
    second = place.add(model, warm_up)
    assert second.number > first.number >= 1_600_000_000
    assert place.newest() == second
    assert second.path == f"{URI}/{second.number}"
    assert bucket.objects("bucket").keys() == {
        f"models/digits/{served.number}/{path.relative_to(model).as_posix()}"
        for served in (first, second)
        for path in [*model.rglob("*"), model / "assets.extra/requests"]
        if not path.is_dir()
    }
    bucket.requests.clear()
    assert served_version(URI) == f"{second.number}:{model_digest(model)}"
    assert downloads(bucket) == [], "the digest is known without the model"
    place.copy(second, tmp_path / "copy")
    assert model_digest(tmp_path / "copy") == model_digest(model)
    assert not (tmp_path / "copy/assets.extra").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/part-3", "variables/part-20"])
def test_a_version_that_somebody_changed_has_the_digest_of_what_is_there(bucket, model, file):
    place = open_place(URI)
    served = place.add(model, warm_up)
    write_bytes(f"{URI}/{served.number}/{file}", b"by hand")
    (model / file).write_bytes(b"by hand")
    assert place.digest(served) == model_digest(model)


def check_whole(server, files, seen):
    """Fails the test where a version that can be loaded lacks anything."""
    for version, names in versions(server).items():
        if "saved_model.pb" in names:
            seen.append((version, names == files))


def test_at_no_request_of_a_push_half_a_version_can_be_loaded(bucket, model):
    files = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    seen = []
    bucket.disturb = lambda request, start: check_whole(
        bucket, files | {"assets.extra/requests"}, seen
    )
    served = open_place(URI).add(model, warm_up)
    check_whole(bucket, files | {"assets.extra/requests"}, seen)
    assert set(seen) == {(served.number, True)}


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_push_is_served_by_nobody_and_removed_by_the_next(bucket, processes, model, seed):
    process = processes.Process(target=push, args=(bucket.environment, URI, model))
    number = random.Random(seed).randint(2, 22)
    bucket.disturb = kill_at(number, lambda: process.pid, "PUT")
    process.start()
    process.join(60)
    assert process.exitcode == -9
    bucket.disturb = None
    assert open_place(URI).newest() is None
    assert not any("saved_model.pb" in names for names in versions(bucket).values())
    served = open_place(URI).add(model, warm_up)
    assert set(versions(bucket)) == {served.number}
    assert len(bucket.objects("bucket")) == 22, "no marker is left either"


@pytest.mark.parametrize(
    ("later", "left"), [(ABANDONED_AFTER_S / 2, 2), (ABANDONED_AFTER_S * 2, 1)]
)
def test_a_push_of_another_machine_is_given_time(bucket, model, later, left):
    write_bytes(f"{URI}/.pushes/7", b'["another machine", 1, "1", "x"]')
    write_bytes(f"{URI}/7/variables/part-1", b"half")
    write_bytes(f"{URI}/8/notes.txt", b"not ours: no marker")
    bucket.age("bucket", later)
    open_place(URI).add(model, warm_up)
    assert len(versions(bucket)) == left + 1
    assert versions(bucket)[8] == {"notes.txt"}


def test_a_clock_that_is_ahead_ends_no_push_of_another_machine(bucket, model, monkeypatch):
    write_bytes(f"{URI}/.pushes/7", OTHER)
    write_bytes(f"{URI}/7/variables/part-1", b"half")
    now = time.time()
    monkeypatch.setattr(
        "darkroom.storage.versions.store.time.time", lambda: now + 2 * ABANDONED_AFTER_S
    )
    open_place(URI).add(model, warm_up)
    assert versions(bucket)[7] == {"variables/part-1"}


def test_what_a_slow_push_ends_while_another_cleans_up_is_spared(bucket, model):
    for name in (".pushes/7", ".pushes/7.x", "7/variables/part-1"):
        write_bytes(f"{URI}/{name}", OTHER)
    bucket.age("bucket", 2 * ABANDONED_AFTER_S)

    def disturb(request, start):
        if request["REQUEST_METHOD"] == "DELETE" and "/.pushes/7" in request["PATH_INFO"]:
            bucket.put("bucket", "models/digits/7/saved_model.pb", b"graph")

    bucket.disturb = disturb
    open_place(URI).add(model, warm_up)
    assert versions(bucket)[7] == {"saved_model.pb", "variables/part-1"}
    assert not [name for name in bucket.objects("bucket") if ".pushes" in name]


def test_a_slow_push_that_was_removed_says_so_and_leaves_nothing(bucket, model, monkeypatch):
    monkeypatch.setattr("darkroom.storage.versions.claims._is_dead", lambda marker: False)
    cleaned = []

    def disturb(request, start):
        """Another push of another machine, when this one was silent for long."""
        path = request["PATH_INFO"]
        if request["REQUEST_METHOD"] == "PUT" and path.endswith("/saved_model.pb") and not cleaned:
            cleaned.append(int(path.split("/digits/")[1].split("/")[0]))
            bucket.age("bucket", 2 * ABANDONED_AFTER_S)
            cleaned.append(open_place(URI).add(model, warm_up).number)

    bucket.disturb = disturb
    with pytest.raises(ServingPlaceError, match=r"took this one for a killed one.*push again"):
        open_place(URI).add(model, warm_up)
    slow, other = cleaned
    assert slow not in versions(bucket)
    assert len(versions(bucket)[other]) == 22


def differ_from(model, folder):
    """Another model, with files of the same names and sizes."""
    shutil.copytree(model, folder)
    for path in (folder / "variables").iterdir():
        path.write_bytes(b"other" * 200)
    return folder


def test_pushes_that_a_store_gives_the_same_marker_do_not_mix(bucket, model, tmp_path, monkeypatch):
    """It ignores the condition; each finds what it has written itself."""
    monkeypatch.setattr("darkroom.storage.versions.store.time.time", lambda: 1_700_000_000.0)
    first_is_on = threading.Event()
    together = threading.Barrier(2, action=first_is_on.clear, timeout=20)
    turns = itertools.count()

    def disturb(request, start):
        request.pop("HTTP_IF_NONE_MATCH", None)
        if "/digits/1700000000/" in request["PATH_INFO"]:
            time.sleep(1)  # Until the second has found nothing there.
        if not request["PATH_INFO"].endswith("/.pushes/1700000000"):
            first_is_on.set()
        elif request["REQUEST_METHOD"] == "PUT":
            together.wait()
            if next(turns) == 1:
                assert first_is_on.wait(20)

    bucket.disturb = disturb
    other = differ_from(model, tmp_path / "other")
    pushed = {}

    def run(folder):
        pushed[folder] = open_place(URI).add(folder, warm_up)

    threads = [threading.Thread(target=run, args=[folder]) for folder in (model, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({served.number for served in pushed.values()}) == 2
    for folder, served in pushed.items():
        open_place(URI).copy(served, tmp_path / str(served.number))
        assert model_digest(tmp_path / str(served.number)) == model_digest(folder)


def test_of_two_writers_at_the_same_moment_one_has_made_the_object(bucket):
    made = create_at_the_same_moment(bucket, "PUT", URI)
    assert sorted(made.values()) == [False, True]


def test_a_marker_that_is_gone_when_it_is_read_is_passed_over(bucket, model):
    write_bytes(f"{URI}/.pushes/7", OTHER)

    def disturb(request, start):
        if request["REQUEST_METHOD"] == "GET" and request["PATH_INFO"].endswith("/.pushes/7"):
            bucket.remove("bucket", "models/digits/.pushes/7")

    bucket.disturb = disturb
    open_place(URI).add(model, warm_up)
    assert len(bucket.objects("bucket")) == 22


@pytest.mark.parametrize("content", [b"hello", b"7", b'{"a": 1}', b"\xff", b'["a", "b"]'])
def test_a_marker_of_somebody_else_ends_no_push(bucket, model, content):
    write_bytes(f"{URI}/.pushes/7", content)
    open_place(URI).add(model, warm_up)
    assert bucket.objects("bucket")["models/digits/.pushes/7"] == content


@pytest.mark.parametrize("note", ["hello", "7"])
def test_a_note_of_somebody_else_says_nothing(bucket, model, note):
    place = open_place(URI)
    served = place.add(model, warm_up)
    store = ObjectStore(Location.parse(served.path))
    store.upload("saved_model.pb", model / "saved_model.pb", note)
    assert place.digest(served) == model_digest(model)


def test_a_whole_version_of_a_killed_push_is_kept(bucket, model):
    for name in (".pushes/7", ".pushes/7.x", "7/saved_model.pb", "7/variables/part-1"):
        write_bytes(f"{URI}/{name}", OTHER)
    bucket.age("bucket", 2 * ABANDONED_AFTER_S)
    open_place(URI).add(model, warm_up)
    assert versions(bucket)[7] == {"saved_model.pb", "variables/part-1"}
    assert not [name for name in bucket.objects("bucket") if ".pushes" in name]


@pytest.mark.parametrize("moment", ["variables/part-3", "saved_model.pb"])
def test_a_file_that_somebody_removes_meanwhile_keeps_the_version_from_being_served(
    bucket, model, moment
):
    done = []

    def disturb(request, start):
        path = request["PATH_INFO"]
        # The listing after the files, or what comes with the model.
        listing = "prefix=models/digits/" in request["QUERY_STRING"].replace("%2F", "/")
        parts = [name for name in bucket.objects("bucket") if name.endswith("/part-1")]
        late = path.endswith(moment) if moment == "saved_model.pb" else listing
        if late and len(bucket.objects("bucket")) == 23 and parts:
            done.append(parts[0])
            bucket.remove("bucket", parts[0])

    bucket.disturb = disturb
    with pytest.raises(ServingPlaceError, match="part-1: is not as it was uploaded"):
        open_place(URI).add(model, warm_up)
    assert done
    puts = [request for request in bucket.requests if request.startswith("PUT")]
    assert any("saved_model.pb" in put for put in puts) == (moment == "saved_model.pb")
    assert open_place(URI).newest() is None


def unreadable(folder):
    (folder / "link").symlink_to("/nonexistent")
    return "model/link.*No such file"


def without_graph(folder):
    (folder / "saved_model.pb").unlink()
    return "has no saved_model.pb"


def with_odd_name(folder):
    (folder / "a?versionId=7").write_bytes(b"odd")
    return "versionId"


@pytest.mark.parametrize("spoil", [unreadable, without_graph, with_odd_name])
def test_a_model_that_cannot_be_pushed_is_one_line_and_leaves_nothing(bucket, model, spoil):
    said = spoil(model)
    with pytest.raises(ServingPlaceError, match=said) as caught:
        open_place(URI).add(model, warm_up)
    assert "\n" not in str(caught.value)
    assert bucket.objects("bucket") == {}


def test_no_room_among_the_temporary_files_is_one_line(bucket, model, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(ServingPlaceError, match=r"push: .*No such file.*TMPDIR"):
        open_place(URI).add(model, warm_up)
    assert bucket.objects("bucket") == {}


@pytest.mark.parametrize("uri", [URI, ""])
def test_a_linked_folder_of_a_model_counts_wherever_it_is_served(bucket, model, tmp_path, uri):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/vocabulary").write_bytes(b"words")
    (model / "assets").symlink_to(tmp_path / "elsewhere")
    before = model_digest(model)
    place = open_place(uri or str(tmp_path / "serving"))
    served = place.add(model, warm_up)
    assert place.digest(served) == before
    (tmp_path / "elsewhere/vocabulary").write_bytes(b"other words")
    assert model_digest(model) != before


def test_pushes_at_the_same_moment_get_numbers_of_their_own(bucket, model, monkeypatch):
    monkeypatch.setattr("darkroom.storage.versions.store.time.time", lambda: 1_700_000_000.0)
    together = threading.Barrier(3)
    pushed = []

    def run():
        together.wait(20)
        pushed.append(open_place(URI).add(model, warm_up).number)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(pushed)) == 3
    assert all(len(names) == 22 for names in versions(bucket).values())


def test_a_store_without_conditional_writes_takes_a_push_too(bucket, model):
    write_bytes(f"{URI}/.pushes/99999999999", b'["another machine", 1, "1", "x"]')
    without = refuse("501 Not Implemented", "NotImplemented", method="PUT")
    bucket.disturb = lambda request, start: (
        without(request, start) if "HTTP_IF_NONE_MATCH" in request else None
    )
    assert open_place(URI).add(model, warm_up).number == 100_000_000_000


def test_numbers_grow_after_a_newer_one(bucket, model):
    write_bytes(f"{URI}/99999999999/saved_model.pb", b"from the future")
    assert open_place(URI).add(model, warm_up).number == 100_000_000_000


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://nowhere/models", "push.destination: .*no bucket 'nowhere'"),
        ("gs:///models", "names no bucket"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_line(bucket, uri, said):
    with pytest.raises(ServingPlaceError, match=said) as caught:
        open_place(uri).newest()
    assert "\n" not in str(caught.value)


def test_the_recipe_takes_uris_of_known_schemes():
    assert PushConfig(destination="minio://bucket/models").destination == "minio://bucket/models"
    with pytest.raises(ValueError, match="unknown scheme 'http'"):
        PushConfig(destination="http://host/models")

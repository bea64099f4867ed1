import os
import random
import threading
import time

import pytest

from components.fingerprint import model_digest
from components.object_store import write_bytes
from components.pusher.config import PushConfig
from components.served import open_place, served_version
from components.serving_store import ABANDONED_AFTER_S, ServingStoreError
from tests.components.bucket_server import refuse
from tests.components.disturbed_server import kill_at

URI = "s3://bucket/models/digits"


def warm_up(copy):
    (copy / "assets.extra").mkdir()
    (copy / "assets.extra" / "requests").write_text("warm")


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
    assert second.version > first.version >= 1_600_000_000
    assert place.newest() == second
    assert second.path == f"{URI}/{second.version}"
    assert bucket.objects("bucket").keys() == {
        f"models/digits/{served.version}/{path.relative_to(model).as_posix()}"
        for served in (first, second)
        for path in [*model.rglob("*"), model / "assets.extra/requests"]
        if not path.is_dir()
    }
    bucket.requests.clear()
    assert served_version(URI) == f"{second.version}:{model_digest(model)}"
    assert downloads(bucket) == [], "the digest is known without the model"
    place.copy(second, tmp_path / "copy")
    assert model_digest(tmp_path / "copy") == model_digest(model)
    assert not (tmp_path / "copy/assets.extra").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("file", ["saved_model.pb", "variables/part-3", "variables/part-20"])
def test_a_version_that_somebody_changed_has_the_digest_of_what_is_there(bucket, model, file):
    place = open_place(URI)
    served = place.add(model, warm_up)
    write_bytes(f"{URI}/{served.version}/{file}", b"by hand")
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
    assert set(seen) == {(served.version, True)}


def push(environment, model):
    os.environ.update(environment)
    open_place(URI).add(model, warm_up)


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_push_is_served_by_nobody_and_removed_by_the_next(bucket, processes, model, seed):
    process = processes.Process(target=push, args=(bucket.environment, model))
    number = random.Random(seed).randint(2, 22)
    bucket.disturb = kill_at(number, lambda: process.pid, "PUT")
    process.start()
    process.join(60)
    assert process.exitcode == -9
    bucket.disturb = None
    assert open_place(URI).newest() is None
    assert not any("saved_model.pb" in names for names in versions(bucket).values())
    served = open_place(URI).add(model, warm_up)
    assert set(versions(bucket)) == {served.version}
    assert len(bucket.objects("bucket")) == 22, "no marker is left either"


@pytest.mark.parametrize(
    ("later", "left"), [(ABANDONED_AFTER_S / 2, 2), (ABANDONED_AFTER_S * 2, 1)]
)
def test_a_push_of_another_machine_is_given_time(bucket, model, monkeypatch, later, left):
    write_bytes(f"{URI}/.pushes/7", b'["another machine", 1, "1", "x"]')
    write_bytes(f"{URI}/7/variables/part-1", b"half")
    write_bytes(f"{URI}/8/notes.txt", b"not ours: no marker")
    now = time.time()
    monkeypatch.setattr("components.serving_store.time.time", lambda: now + later)
    open_place(URI).add(model, warm_up)
    assert len(versions(bucket)) == left + 1
    assert versions(bucket)[8] == {"notes.txt"}


def test_pushes_at_the_same_moment_get_numbers_of_their_own(bucket, model, monkeypatch):
    monkeypatch.setattr("components.serving_store.time.time", lambda: 1_700_000_000.0)
    together = threading.Barrier(3)
    pushed = []

    def run():
        together.wait(20)
        pushed.append(open_place(URI).add(model, warm_up).version)

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
    assert open_place(URI).add(model, warm_up).version == 100_000_000_000


def test_numbers_grow_after_a_newer_one(bucket, model):
    write_bytes(f"{URI}/99999999999/saved_model.pb", b"from the future")
    assert open_place(URI).add(model, warm_up).version == 100_000_000_000


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("s3://nowhere/models", "push.destination: .*no bucket 'nowhere'"),
        ("gs:///models", "names no bucket"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_line(bucket, uri, said):
    with pytest.raises(ServingStoreError, match=said) as caught:
        open_place(uri).newest()
    assert "\n" not in str(caught.value)


def test_the_recipe_takes_uris_of_known_schemes():
    assert PushConfig(destination="minio://bucket/models").destination == "minio://bucket/models"
    with pytest.raises(ValueError, match="unknown scheme 'http'"):
        PushConfig(destination="http://host/models")

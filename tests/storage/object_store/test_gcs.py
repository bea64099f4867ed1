"""Copies from and to gs://, against a double of Google's store."""

import asyncio
import collections
import io
import json
import random
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from darkroom.storage.fingerprint import model_digest
from darkroom.storage.object_store import (
    Location,
    ObjectStore,
    download_folder,
    read_bytes,
    upload_folder,
    write_bytes,
)
from darkroom.storage.object_store.connection import _connect
from darkroom.storage.versions.place import open_place, served_version
from darkroom.tests.storage.disturbed_server import break_off, hang_up, lose_answer
from darkroom.tests.storage.gcs_server import PAGE, GcsServer, refuse
from darkroom.tests.storage.killed import copy_down, warm_up
from darkroom.tests.storage.object_store.test_copies import (
    MIB,
    check_there_and_back,
    many,
    names,
    read_folder,
    run_killed,
    spans,
    stored,
    write_folder,
)
from darkroom.tests.storage.object_store.test_explanation import said_by
from darkroom.tests.storage.two_writers import create_at_the_same_moment
from darkroom.tests.storage.versions.test_store import (
    check_whole,
    downloads,
    versions,
)

URI = "gs://bucket/some/folder"
ODD = ["a b+c&d=ü.png", "100%25 {}.png", "#1?generation=2#3.png", "?", "%2F", " "]


@pytest.fixture(scope="module")
def bucket_server():
    started = GcsServer()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """What waits before it asks again does not wait."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda delay, *rest: sleep(min(delay, 0.01), *rest))


@pytest.fixture
def source(tmp_path):
    return write_folder(tmp_path / "source", many(5))


def listings(server):
    return [request for request in server.requests if "GET /storage/v1/b/bucket/o?" in request]


@settings(max_examples=5)
@given(data=st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=20))
@example(data={name: name.encode() for name in ODD})
def test_there_and_back_any_names_and_contents(bucket_server, tmp_path_factory, data):
    check_there_and_back(bucket_server, tmp_path_factory.mktemp("any"), URI, data)


def test_only_what_changed_is_transferred_again(bucket, tmp_path):
    count = 2 * PAGE + 5
    source = write_folder(tmp_path / "source", many(count))
    upload_folder(source, URI)
    assert bucket.count("POST") == count
    download_folder(URI, tmp_path / "copy")
    (source / "1/1.png").write_bytes(b"changed")
    (source / "2/2.png").unlink()
    (source / "new.png").write_bytes(b"new")
    bucket.requests.clear()
    upload_folder(source, URI)
    assert (bucket.count("POST"), bucket.count("DELETE")) == (2, 1)
    bucket.requests.clear()
    download_folder(URI, tmp_path / "copy")
    assert len(spans(bucket)) == 2
    assert read_folder(tmp_path / "copy") == stored(bucket) == read_folder(source)
    bucket.requests.clear()
    upload_folder(source, URI)
    assert len(bucket.requests) == len(listings(bucket)) == 3, "the pages of one listing"


@pytest.mark.parametrize("changed", [False, True])
def test_a_large_file_goes_on_after_a_kill_if_it_is_the_same(bucket, processes, tmp_path, changed):
    content = random.Random(1).randbytes(14 * MIB + 1)
    name = ODD[0] + ODD[2]
    source = write_folder(tmp_path / "source", {name: content})
    upload_folder(source, URI)
    assert sum("upload_id=" in request for request in bucket.requests) == 3, "chunks"
    copy = tmp_path / "copy"
    run_killed(processes, bucket, copy_down, [URI, copy], 4, "GET")
    assert read_folder(copy) == {}, "nothing half is in place"
    if changed:
        content = content[::-1]
        bucket.put("bucket", f"some/folder/{name}", content)
    bucket.requests.clear()
    download_folder(URI, copy)
    assert spans(bucket)[0] == ("0-4194303" if changed else "8388608-12582911")
    assert read_folder(copy) == {name: content}


def test_an_object_that_shrinks_meanwhile_is_read_anew(bucket, tmp_path):
    bucket.put("bucket", "some/folder/large", bytes(9 * MIB))

    def shrink(request, start):
        if "bytes=4194304-" in request.get("HTTP_RANGE", ""):
            bucket.put("bucket", "some/folder/large", b"small")

    bucket.disturb = shrink
    download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == {"large": b"small"}


def spoil(times):
    """Answers the first downloads of each object with other bytes, as many."""
    seen = collections.Counter()

    def answer(request, start):
        seen[request["PATH_INFO"]] += 1
        if "HTTP_RANGE" not in request or seen[request["PATH_INFO"]] > times:
            return None
        start("206 Partial Content", [("Content-Length", "700")])
        return [b"x" * 700]

    return answer


def test_bytes_damaged_on_the_way_down_are_read_again(bucket, source, tmp_path):
    upload_folder(source, URI)
    bucket.disturb = spoil(times=1)
    download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == read_folder(source)


def test_bytes_that_are_always_damaged_alike_are_one_line(bucket, source, tmp_path):
    upload_folder(source, URI)
    bucket.disturb = spoil(times=10**9)
    assert "damaged on the way" in said_by(download_folder, URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == {}


@pytest.mark.parametrize("size", [2000, 6 * MIB])
def test_an_upload_damaged_on_the_way_is_one_line_and_nowhere(bucket, tmp_path, size):
    source = write_folder(tmp_path / "source", {"file": bytes(size)})

    def disturb(request, start):
        length = int(request.get("CONTENT_LENGTH") or 0)
        if length >= size // 6:
            body = request["wsgi.input"].read(length)
            request["wsgi.input"] = io.BytesIO(body[:-100] + b"x" + body[-99:])

    bucket.disturb = disturb
    assert "damaged on the way" in said_by(upload_folder, source, URI)
    assert stored(bucket) == {}
    bucket.disturb = None
    upload_folder(source, URI)
    assert stored(bucket) == {"file": bytes(size)}


def test_of_two_writers_at_the_same_moment_one_has_made_the_object(bucket):
    made = create_at_the_same_moment(bucket, "POST", URI)
    assert sorted(made.values()) == [False, True]
    assert made[stored(bucket)["marker"]]


def test_what_is_done_and_answered_too_late_counts_as_done(bucket):
    store = ObjectStore(Location.parse(URI))
    bucket.disturb = lose_answer(bucket, "POST")
    assert store.create("marker", b"mine")
    assert not store.create("marker", b"another's")
    bucket.disturb = lose_answer(bucket, "DELETE")
    store.remove("marker")
    assert stored(bucket) == {}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_store_that_is_busy_for_a_while_is_asked_again(bucket, source, tmp_path, status):
    bucket.disturb = refuse(status, times=2, method="POST")
    upload_folder(source, URI)
    bucket.disturb = refuse(status, times=2)
    download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == read_folder(source)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_store_that_stays_busy_is_one_line(bucket, source, caplog, status):
    bucket.disturb = refuse(status, method="POST")
    assert f"answers {status}" in said_by(upload_folder, source, URI)
    bucket.disturb = refuse(status)
    assert f"answers {status}" in said_by(upload_folder, source, URI)
    assert caplog.records == [], "gcsfs does not tell it too"


def test_a_store_that_becomes_busy_between_chunks_is_one_line(bucket, tmp_path):
    source = write_folder(tmp_path / "source", {"large": bytes(11 * MIB)})
    busy = refuse(503, method="POST")

    def disturb(request, start):
        return busy(request, start) if len(bucket.requests) > 4 else None

    bucket.disturb = disturb
    assert "answers 503" in said_by(upload_folder, source, URI)
    assert stored(bucket) == {}
    bucket.disturb = None
    upload_folder(source, URI)
    assert stored(bucket) == {"large": bytes(11 * MIB)}


@pytest.mark.parametrize("cut", [break_off(10**9), hang_up])
def test_a_connection_that_always_breaks_off_is_one_line(bucket, source, tmp_path, cut):
    upload_folder(source, URI)
    bucket.disturb = break_off(times=2)
    download_folder(URI, tmp_path / "first")
    assert read_folder(tmp_path / "first") == read_folder(source)
    bucket.disturb = cut
    assert "connection broke off" in said_by(download_folder, URI, tmp_path / "copy")


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        (401, "Invalid Credentials", "the credentials are refused (401)"),
        (401, "Anonymous caller does not have storage.objects.list access", "no credentials; set"),
        (403, "x@y does not have storage.objects.list access", "access is denied"),
    ],
)
def test_who_may_not_is_told_so_in_one_line(bucket, source, status, message, said):
    for method in ("GET", "POST"):
        bucket.disturb = refuse(status, message, method=method)
        assert said in said_by(upload_folder, source, URI)


def test_no_such_bucket_is_one_line(bucket, source, tmp_path):
    for call, arguments in [
        (download_folder, ("gs://nowhere/x", tmp_path / "copy")),
        (upload_folder, (source, "gs://nowhere/x")),
        (read_bytes, ("gs://nowhere/x",)),
        (write_bytes, ("gs://nowhere/x", b"")),
    ]:
        assert f"no bucket 'nowhere' at {bucket.url}" in said_by(call, *arguments)
    assert "no such object" in said_by(read_bytes, f"{URI}/absent")


@pytest.mark.parametrize("key", ["some//up", "some/../up"])
def test_names_that_would_leave_the_folder_are_refused(bucket, tmp_path, key):
    bucket.put("bucket", key, b"x")
    assert "cannot become a file" in said_by(download_folder, "gs://bucket", tmp_path / "copy")


def test_an_endpoint_that_is_down_is_one_line(bucket, tmp_path, monkeypatch):
    gone = GcsServer()
    gone.stop()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gone.url)
    assert f"{gone.url} cannot be reached" in said_by(download_folder, URI, tmp_path / "copy")


def test_an_emulator_is_given_no_credentials_of_this_machine(bucket, tmp_path, monkeypatch):
    login = dict.fromkeys(("client_id", "client_secret", "refresh_token"), "secret")
    found = tmp_path / "application_default_credentials.json"
    found.write_text(json.dumps({"type": "authorized_user", **login}))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    _connect.cache_clear()
    seen = []
    bucket.disturb = lambda request, start: seen.append("HTTP_AUTHORIZATION" in request)
    write_bytes(f"{URI}/note", b"text")
    assert read_bytes(f"{URI}/note") == b"text"
    assert seen == [False, False]


def test_a_version_is_pushed_whole_and_known_again(bucket, model, tmp_path):
    uri = "gs://bucket/models/digits"
    files = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()}
    files.add("assets.extra/requests")
    seen = []
    bucket.disturb = lambda request, start: check_whole(bucket, files, seen)
    served = open_place(uri).add(model, warm_up)
    check_whole(bucket, files, seen)
    assert set(seen) == {(served.number, True)}, "at no request half of it can be loaded"
    assert versions(bucket) == {served.number: files}
    assert len(bucket.objects("bucket")) == len(files), "no marker is left"
    bucket.requests.clear()
    assert served_version(uri) == f"{served.number}:{model_digest(model)}"
    assert downloads(bucket) == [], "the digest is known without the model"
    open_place(uri).copy(served, tmp_path / "copy")
    assert model_digest(tmp_path / "copy") == model_digest(model)


def test_pushes_at_the_same_moment_get_numbers_of_their_own(bucket, model, monkeypatch):
    uri = "gs://bucket/models/digits"
    monkeypatch.setattr("darkroom.storage.versions.store.time.time", lambda: 1_700_000_000.0)
    pushed = []
    together = threading.Barrier(2, timeout=20)
    first = threading.Event()

    def disturb(request, start):
        """Both ask for the same number before either gets it."""
        if request["REQUEST_METHOD"] == "POST" and not first.is_set():
            together.wait()
            first.set()

    bucket.disturb = disturb
    threads = [
        threading.Thread(target=lambda: pushed.append(open_place(uri).add(model, warm_up).number))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(pushed) == [1_700_000_000, 1_700_000_001]
    assert [len(names) for names in versions(bucket).values()] == [22, 22]

import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.s3.models import FakeKey

from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store import (
    discard_state,
    download_folder,
    read_bytes,
    scratch_copy,
    upload_folder,
    write_bytes,
)
from darkroom.storage.object_store.store import PART_BYTES, part_bytes
from darkroom.tests.storage.disturbed_server import kill_at
from darkroom.tests.storage.killed import copy_down, copy_up

MIB = 2**20
URI = "s3://bucket/some/folder"


def write_folder(folder, contents):
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def read_folder(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def stored(server, below="some/folder/"):
    found = server.objects("bucket").items()
    return {name.removeprefix(below): content for name, content in found}


def many(count=80, size=700):
    return {f"{n % 7}/{n}.png": random.Random(n).randbytes(size) for n in range(count)}


name = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)
names = name.filter(lambda text: text not in (".", ".."))


def check_there_and_back(server, folder, uri, data):
    contents = {f"sub/{name}": content for name, content in data.items()}
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in server.environment.items():
            patch.setenv(variable, value)
        server.create_bucket("bucket")
        upload_folder(write_folder(folder / "source", contents), uri)
        assert stored(server) == contents
        download_folder(uri, folder / "copy")
    assert read_folder(folder / "copy") == contents


@settings(max_examples=5)
@given(data=st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=20))
def test_there_and_back_any_names_and_contents(bucket_server, tmp_path_factory, data):
    check_there_and_back(bucket_server, tmp_path_factory.mktemp("any"), URI, data)


def test_only_what_changed_is_transferred_again(bucket, tmp_path):
    source = write_folder(tmp_path / "source", many())
    upload_folder(source, URI)
    assert bucket.count("PUT") == 80
    download_folder(URI, tmp_path / "copy")
    (source / "1/1.png").write_bytes(b"changed")
    (source / "2/2.png").unlink()
    (source / "new.png").write_bytes(b"new")
    bucket.requests.clear()
    upload_folder(source, URI)
    assert (bucket.count("PUT"), bucket.count("DELETE")) == (2, 1)
    bucket.requests.clear()
    download_folder(URI, tmp_path / "copy")
    assert sum("bytes=" in request for request in bucket.requests) == 2
    assert read_folder(tmp_path / "copy") == stored(bucket) == read_folder(source)
    bucket.requests.clear()
    download_folder(URI, tmp_path / "copy")
    upload_folder(source, URI)
    assert len(bucket.requests) == 2, "one listing each"


def test_a_copy_that_somebody_damaged_is_mended_and_other_files_stay(bucket, tmp_path):
    upload_folder(write_folder(tmp_path / "source", many(10)), URI)
    copy = tmp_path / "copy"
    download_folder(URI, copy)
    (copy / "3/3.png").write_bytes(b"damaged")
    (copy / "4/4.png").unlink()
    (copy / "mine.txt").write_bytes(b"mine")
    download_folder(URI, copy)
    assert read_folder(copy) == {**stored(bucket), "mine.txt": b"mine"}


def test_a_file_becomes_a_folder_and_a_folder_a_file(bucket, tmp_path):
    copy = tmp_path / "copy"
    upload_folder(write_folder(tmp_path / "1", {"a": b"1", "b/c": b"2"}), URI)
    download_folder(URI, copy)
    upload_folder(write_folder(tmp_path / "2", {"a/c": b"3", "b": b"4"}), URI)
    download_folder(URI, copy)
    assert read_folder(copy) == {"a/c": b"3", "b": b"4"}


def spans(server):
    return [request.rpartition("bytes=")[2] for request in server.requests if "bytes=" in request]


@pytest.mark.parametrize("changed", [False, True])
def test_a_large_file_goes_on_from_the_bytes_it_has_if_it_is_the_same(bucket, tmp_path, changed):
    content = random.Random(1).randbytes(14 * MIB)
    upload_folder(write_folder(tmp_path / "source", {"large": content}), URI)
    broken = threading.Event()

    def disturb(request, start):
        if "bytes=8388608-" in request.get("HTTP_RANGE", "") and not broken.is_set():
            broken.set()
            start("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        return None

    bucket.disturb = disturb
    with pytest.raises(ObjectStoreError, match="access is denied"):
        download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == {}, "nothing half is in place"
    if changed:
        content = content[::-1]
        (tmp_path / "source/large").write_bytes(content)
        upload_folder(tmp_path / "source", URI)
    bucket.requests.clear()
    download_folder(URI, tmp_path / "copy")
    assert spans(bucket)[0].startswith("0-" if changed else "8388608-")
    assert read_folder(tmp_path / "copy") == {"large": content}


def test_an_object_that_changes_meanwhile_is_read_anew(bucket, tmp_path):
    upload_folder(write_folder(tmp_path / "source", many(20)), URI)
    seen = threading.Event()

    def change(request, start):
        if "/5/5.png" in request["PATH_INFO"] and not seen.is_set():
            seen.set()
            write_bytes(f"{URI}/5/5.png", b"longer or shorter")
        return None

    bucket.disturb = change
    download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == stored(bucket)
    assert (tmp_path / "copy/5/5.png").read_bytes() == b"longer or shorter"


@pytest.mark.parametrize("encryption", ["aws:kms", "aws:kms:dsse"])
def test_tags_that_are_no_digests_do_not_stop_a_copy(bucket, tmp_path, monkeypatch, encryption):
    """Buckets encrypted with keys of their own have ETags that look like an MD5."""
    upload_folder(write_folder(tmp_path / "source", many(20)), URI)
    describe = FakeKey.response_dict.fget
    encrypted = {"x-amz-server-side-encryption": encryption}
    monkeypatch.setattr(FakeKey, "etag", '"0123456789abcdef0123456789abcdef"')
    monkeypatch.setattr(
        FakeKey, "response_dict", property(lambda key: {**describe(key), **encrypted})
    )
    download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == stored(bucket)
    assert len(spans(bucket)) == 20, "each was read once"


@pytest.mark.parametrize("times", [1, 10**9])
def test_bytes_damaged_on_the_way_down_are_read_again_or_refused(bucket, tmp_path, times):
    upload_folder(write_folder(tmp_path / "source", {"file": b"y" * 700}), URI)
    left = [times]

    def spoil(request, start):
        if "HTTP_RANGE" not in request or left[0] <= 0:
            return None
        left[0] -= 1
        start("206 Partial Content", [("Content-Length", "700")])
        return [b"x" * 700]

    bucket.disturb = spoil
    if times == 1:
        download_folder(URI, tmp_path / "copy")
        assert read_folder(tmp_path / "copy") == {"file": b"y" * 700}
        return
    with pytest.raises(ObjectStoreError, match="some/folder/file: is damaged on the way"):
        download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == {}


def test_a_journal_that_was_damaged_costs_another_transfer(bucket, tmp_path):
    upload_folder(write_folder(tmp_path / "source", many(6)), URI)
    download_folder(URI, tmp_path / "copy")
    journal = tmp_path / ".copy.copy/journal"
    first, second, third, *rest = journal.read_bytes().splitlines(keepends=True)
    spoiled = [first[:9], second, b"\0" * 50 + b"\n", b"\xff\n", b"7\n", b'["x", 1]\n', third]
    journal.write_bytes(b"".join([*spoiled, *rest]))
    bucket.requests.clear()
    download_folder(URI, tmp_path / "copy")
    assert len(spans(bucket)) == 2, "the line that was cut ends in the next"
    assert read_folder(tmp_path / "copy") == stored(bucket)


def test_a_file_that_was_replaced_by_one_of_its_size_is_mended(bucket, tmp_path):
    upload_folder(write_folder(tmp_path / "source", many(3)), URI)
    download_folder(URI, tmp_path / "copy")
    (tmp_path / "copy/1/1.png").write_bytes(bytes(700))
    download_folder(URI, tmp_path / "copy")
    assert read_folder(tmp_path / "copy") == stored(bucket)


def test_a_linked_folder_is_uploaded_like_any_other(bucket, tmp_path):
    write_folder(tmp_path / "elsewhere", {"below/words": b"words"})
    source = write_folder(tmp_path / "source", {"a": b"1"})
    (source / "link").symlink_to(tmp_path / "elsewhere")
    upload_folder(source, URI)
    assert stored(bucket) == {"a": b"1", "link/below/words": b"words"}


def test_parts_grow_with_files_that_would_have_too_many(bucket, tmp_path, monkeypatch):
    assert part_bytes(0) == part_bytes(10_000 * PART_BYTES) == PART_BYTES
    assert part_bytes(10_000 * PART_BYTES + 1) == PART_BYTES + 1
    assert part_bytes(5 * 2**40) * 10_000 >= 5 * 2**40
    monkeypatch.setattr("darkroom.storage.object_store.store._PARTS", 2)
    source = write_folder(tmp_path / "source", {"large": random.Random(1).randbytes(13 * MIB)})
    upload_folder(source, URI)
    assert bucket.count("PUT") == 2
    upload_folder(source, URI)
    assert bucket.count("PUT") == 2, "it is known again"


def run_killed(processes, server, target, arguments, number, method):
    process = processes.Process(target=target, args=(server.environment, *arguments))
    server.disturb = kill_at(number, lambda: process.pid, method)
    process.start()
    process.join(60)
    server.disturb = None
    assert process.exitcode == -9


@pytest.mark.parametrize("seed", range(2))
def test_a_download_killed_at_any_moment_is_finished_by_the_next(bucket, processes, tmp_path, seed):
    chance = random.Random(seed)
    source = write_folder(tmp_path / "source", many() | {"large": chance.randbytes(9 * MIB)})
    upload_folder(source, URI)
    copy, whole = tmp_path / "copy", read_folder(source)
    for _ in range(2):
        arguments = (processes, bucket, copy_down, [URI, copy], chance.randint(1, 50), "GET")
        run_killed(*arguments)
        assert read_folder(copy).items() <= whole.items(), "a file is whole or absent"
    there = len(read_folder(copy))
    bucket.requests.clear()
    download_folder(URI, copy)
    assert read_folder(copy) == whole
    assert len(spans(bucket)) <= 80 - there + 3 + 32, "what was there is not read again"


@pytest.mark.parametrize("seed", range(2))
def test_an_upload_killed_at_any_moment_is_finished_by_the_next(bucket, processes, tmp_path, seed):
    number = random.Random(seed).randint(1, 79)
    source = write_folder(tmp_path / "source", many())
    run_killed(processes, bucket, copy_up, [URI, source], number, "PUT")
    left = stored(bucket)
    assert left.items() <= read_folder(source).items()
    bucket.requests.clear()
    upload_folder(source, URI)
    assert stored(bucket) == read_folder(source)
    assert bucket.count("PUT") <= 80 - len(left)


def test_two_processes_do_not_copy_to_the_same_place_at_once(bucket, tmp_path):
    upload_folder(write_folder(tmp_path / "source", many(5)), URI)
    entered, released = threading.Event(), threading.Event()
    ended = []

    def hold():
        with scratch_copy(URI):
            entered.set()
            released.wait(20)
            ended.append("first")

    def follow():
        with scratch_copy(URI) as copy:
            ended.append("second")
            assert len(read_folder(copy)) == 5

    first, second = threading.Thread(target=hold), threading.Thread(target=follow)
    first.start()
    assert entered.wait(20)
    second.start()
    bucket.requests.clear()
    released.set()
    first.join(20)
    second.join(20)
    assert ended == ["first", "second"]
    assert spans(bucket) == [], "the second has what the first has copied"


def test_single_objects_are_read_and_written(bucket):
    write_bytes("minio://bucket/note", b"text")
    assert read_bytes("s3://bucket/note") == b"text"
    with pytest.raises(ObjectStoreError, match="no such object"):
        read_bytes("s3://bucket/absent")


def test_the_state_of_a_copy_can_be_discarded(bucket, tmp_path):
    upload_folder(write_folder(tmp_path / "source", many(3)), URI)
    download_folder(URI, tmp_path / "place/copy")
    discard_state(tmp_path / "place/copy")
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["copy"]

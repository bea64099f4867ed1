import traceback

import pytest

from components.object_store import ObjectStoreError, download_folder, read_bytes, upload_folder
from tests.components.bucket_server import BucketServer, refuse
from tests.components.disturbed_server import break_off

URI = "s3://bucket/folder"


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(5):
        (folder / str(number)).write_bytes(bytes([number]) * 100)
    return folder


def said_by(call, *arguments):
    """The one line, after making sure that no secret is in it."""
    with pytest.raises(ObjectStoreError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    assert "test-secret" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    ("status", "code"),
    [("503 Slow Down", "SlowDown"), ("500 Internal Server Error", "InternalError")],
)
def test_a_store_that_is_busy_for_a_while_is_asked_again(bucket, source, tmp_path, status, code):
    bucket.disturb = refuse(status, code, times=2, method="PUT")
    upload_folder(source, URI)
    bucket.disturb = refuse(status, code, times=2)
    download_folder(URI, tmp_path / "copy")
    assert len(list((tmp_path / "copy").iterdir())) == 5


def test_a_connection_that_breaks_off_is_taken_up_again(bucket, source, tmp_path):
    upload_folder(source, URI)
    bucket.disturb = break_off(times=2)
    download_folder(URI, tmp_path / "copy")
    assert (tmp_path / "copy/4").read_bytes() == b"\x04" * 100


def test_a_connection_that_always_breaks_off_is_one_line(bucket, source, tmp_path):
    upload_folder(source, URI)
    bucket.disturb = break_off(times=1000)
    said = said_by(download_folder, URI, tmp_path / "copy")
    assert "connection broke off" in said
    assert list((tmp_path / "copy").iterdir()) == []
    bucket.disturb = None
    download_folder(URI, tmp_path / "copy")
    assert len(list((tmp_path / "copy").iterdir())) == 5


def test_a_store_that_stays_busy_is_one_line(bucket, source):
    bucket.disturb = refuse("503 Service Unavailable", "ServiceUnavailable", method="PUT")
    assert "answers ServiceUnavailable" in said_by(upload_folder, source, URI)


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"])
def test_refused_credentials_are_named_and_not_shown(bucket, tmp_path, code):
    bucket.disturb = refuse("403 Forbidden", code)
    said = said_by(download_folder, URI, tmp_path / "copy")
    assert f"credentials are refused ({code})" in said
    assert "AWS_SECRET_ACCESS_KEY" in said


def test_keys_that_the_store_does_not_know_are_refused(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    assert "InvalidAccessKeyId" in said_by(download_folder, URI, tmp_path / "copy")


def test_no_access_is_one_line(bucket, tmp_path):
    bucket.disturb = refuse("403 Forbidden", "AccessDenied")
    assert "access is denied" in said_by(download_folder, URI, tmp_path / "copy")


def test_without_credentials_it_says_where_they_come_from(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials; set AWS_ACCESS_KEY_ID" in said_by(read_bytes, f"{URI}/1")


def test_an_endpoint_that_is_down_is_one_line(bucket, tmp_path, monkeypatch):
    gone = BucketServer()
    gone.stop()
    address = gone.url.replace("://", "://user:test-secret@")
    monkeypatch.setenv("AWS_ENDPOINT_URL", gone.url)
    assert f"{gone.url} cannot be reached" in said_by(download_folder, URI, tmp_path / "copy")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    said_by(download_folder, URI, tmp_path / "copy")


def test_no_such_bucket_is_one_line(bucket, source, tmp_path):
    for call, arguments in [
        (download_folder, ("s3://nowhere/x", tmp_path / "copy")),
        (upload_folder, (source, "s3://nowhere/x")),
        (read_bytes, ("s3://nowhere/x",)),
    ]:
        assert "there is no bucket 'nowhere'" in said_by(call, *arguments)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ftp://host/x", "unknown scheme 'ftp'; use s3://, gs://, minio://"),
        ("s3:///x", "names no bucket"),
        ("s3://key:test-secret@bucket/x", "credentials do not belong in a URI"),
        ("s3://bucket/empty", "nothing there"),
    ],
)
def test_uris_that_cannot_be_are_refused(bucket, tmp_path, uri, said):
    assert said in said_by(download_folder, uri, tmp_path / "copy")


def test_minio_needs_an_endpoint(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert "set AWS_ENDPOINT_URL" in said_by(read_bytes, "minio://bucket/x")


def test_a_whole_bucket_is_no_place_for_a_copy(bucket, source):
    assert "name a folder" in said_by(upload_folder, source, "s3://bucket")


@pytest.mark.parametrize("key", ["folder/../up", "folder//twice", "folder/a/./b"])
def test_names_that_would_leave_the_folder_are_refused(bucket, tmp_path, key):
    bucket.put("bucket", key, b"x")
    assert "cannot become a file" in said_by(download_folder, URI, tmp_path / "copy")
    assert not (tmp_path / "up").exists()


def test_an_object_that_is_a_folder_too_is_refused(bucket, tmp_path):
    bucket.put("bucket", "folder/a", b"x")
    bucket.put("bucket", "folder/a/b", b"x")
    assert "an object and a folder" in said_by(download_folder, URI, tmp_path / "copy")

import importlib
import traceback

import pytest

from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store import (
    download_folder,
    read_bytes,
    scratch_copy,
    upload_folder,
)
from darkroom.storage.object_store.explanation import explain
from darkroom.storage.object_store.location import Location
from darkroom.tests.storage.bucket_server import BucketServer, refuse
from darkroom.tests.storage.disturbed_server import break_off

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


def raised(kind):
    """An error of a library's class, whatever that wants to be told."""
    module, _, name = kind.rpartition(".")
    base = getattr(importlib.import_module(module), name)
    return type("Raised", (base,), {"__init__": lambda _: None, "__str__": lambda _: ""})()


@pytest.mark.parametrize(
    "kind",
    [
        "aiohttp.ClientOSError",
        "aiohttp.ClientPayloadError",
        "aiohttp.ServerDisconnectedError",
        "aiohttp.ServerTimeoutError",
        "botocore.exceptions.ConnectionClosedError",
        "botocore.exceptions.ReadTimeoutError",
        "botocore.parsers.ResponseParserError",
        "builtins.TimeoutError",
        "fsspec.exceptions.FSTimeoutError",
        "http.client.IncompleteRead",
    ],
)
def test_each_way_to_be_cut_off_is_named(kind):
    assert "connection broke off" in str(explain(raised(kind), Location.parse(URI)))


@pytest.mark.parametrize(
    "kind",
    [
        "aiohttp.ClientConnectorError",
        "aiohttp.ClientProxyConnectionError",
        "botocore.exceptions.ConnectTimeoutError",
        "botocore.exceptions.EndpointConnectionError",
        "botocore.exceptions.ProxyConnectionError",
        "botocore.exceptions.SSLError",
        "builtins.ConnectionError",
        "google.auth.exceptions.TransportError",
        "requests.exceptions.SSLError",
        "ssl.SSLError",
    ],
)
def test_each_way_not_to_get_there_is_named(kind):
    assert "cannot be reached" in str(explain(raised(kind), Location.parse(URI)))


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"])
def test_refused_credentials_are_named_and_not_shown(bucket, tmp_path, code):
    bucket.disturb = refuse("403 Forbidden", code)
    said = said_by(download_folder, URI, tmp_path / "copy")
    assert f"credentials are refused ({code})" in said
    assert "AWS_SECRET_ACCESS_KEY" in said


def test_keys_that_the_store_does_not_know_are_refused(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
    assert "InvalidAccessKeyId" in said_by(download_folder, URI, tmp_path / "copy")


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        ("403 Forbidden", "RequestTimeTooSkewed", "clock is wrong"),
        ("403 Forbidden", "InvalidObjectState", "restore it first"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "set AWS_REGION"),
        ("301 Moved Permanently", "PermanentRedirect", "set AWS_REGION"),
        ("400 Bad Request", "IllegalLocationConstraintException", "set AWS_REGION"),
    ],
)
def test_what_the_user_can_mend_is_said(bucket, status, code, remedy):
    bucket.disturb = refuse(status, code)
    said = said_by(read_bytes, f"{URI}/1")
    assert remedy in said
    assert code in said


def test_secrets_in_what_a_store_says_are_not_shown(bucket):
    message = "test-secret, AKIA and test-key"
    bucket.disturb = refuse("400 Bad Request", "Unheard", message=message)
    assert "***, AKIA and ***" in said_by(read_bytes, f"{URI}/1")


@pytest.mark.parametrize("endpoint", ["http://user:test-secret@ho st:9", "user:test-secret@host:9"])
@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_an_endpoint_with_credentials_is_refused_and_not_shown(
    bucket, monkeypatch, scheme, endpoint
):
    variable = "AWS_ENDPOINT_URL" if scheme == "s3" else "STORAGE_EMULATOR_HOST"
    monkeypatch.setenv(variable, endpoint)
    assert f"{variable}: credentials do not belong" in said_by(read_bytes, f"{scheme}://bucket/x")


def test_no_folder_for_temporary_files_is_one_line(bucket, monkeypatch):
    monkeypatch.delenv("DARKROOM_SCRATCH")
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    said = said_by(lambda: scratch_copy(URI).__enter__())
    assert "No such file" in said
    assert "set DARKROOM_SCRATCH" in said


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
        ("s3://key:half/test-secret@bucket/x", "credentials do not belong in a URI"),
        ("s3:///key:test-secret@bucket/x", "names no bucket"),
        ("https://bucket.host/x?X-Amz-Signature=test-secret", "unknown scheme 'https'"),
        ("key/test-secret@https://host/x", "unknown scheme '…'"),
        ("s3://My Bucket/x", "no bucket can have the name 'My Bucket'"),
        ("s3://bucket/x?versionId=7", "stand for another object"),
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


@pytest.mark.parametrize("key", ["a?versionId=7", "b/" + "ä" * 128, "x" * 256 + "/c"])
def test_names_that_no_copy_can_have_are_refused(bucket, tmp_path, key):
    bucket.put("bucket", f"folder/{key}", b"x")
    bucket.put("bucket", "folder/a", b"another")
    said = said_by(download_folder, URI, tmp_path / "copy")
    assert key in said
    assert "rename it" in said
    assert not (tmp_path / "copy/a").exists()


def test_a_file_that_would_become_another_object_is_not_uploaded(bucket, source):
    (source / "1?versionId=7").write_bytes(b"odd")
    assert "1?versionId=7" in said_by(upload_folder, source, URI)
    assert bucket.objects("bucket") == {}


def test_an_object_that_is_a_folder_too_is_refused(bucket, tmp_path):
    bucket.put("bucket", "folder/a", b"x")
    bucket.put("bucket", "folder/a/b", b"x")
    assert "an object and a folder" in said_by(download_folder, URI, tmp_path / "copy")

"""What all tests share."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, on slow machines too.
settings.register_profile(
    "darkroom",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("darkroom")

# A shell ignores interrupts on behalf of what it starts in the background, and so would the
# programs that tests start in order to interrupt them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def bucket_server():
    """An object store on loopback; not imported at the top: most tests need none."""
    from darkroom.tests.storage.bucket_server import BucketServer

    started = BucketServer()
    yield started
    started.stop()


@pytest.fixture
def bucket(bucket_server, monkeypatch, tmp_path):
    """The server with an empty bucket named `bucket`, and an environment that leads to it."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")):
            monkeypatch.delenv(name)
    for name, value in bucket_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DARKROOM_SCRATCH", str(tmp_path / "scratch"))
    bucket_server.create_bucket("bucket")
    bucket_server.requests.clear()
    yield bucket_server
    bucket_server.disturb = None

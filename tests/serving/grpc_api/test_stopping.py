import pytest
from grpc.aio import _server

from darkroom.tests.serving.grpc_api.grpc_servers import run_server


@pytest.fixture
def stops(monkeypatch):
    """How many stops of gRPC's server were under way as each began, itself included."""
    stop, under_way, counts = _server.Server.stop, [], []

    async def counted(self, grace):
        under_way.append(grace)
        counts.append(len(under_way))
        try:
            await stop(self, grace)
        finally:
            under_way.pop()

    monkeypatch.setattr(_server.Server, "stop", counted)
    return counts


@pytest.mark.parametrize("drain_seconds", [0, 0.6, 20])
def test_grpc_is_stopped_once_at_a_time(stops, tmp_path, drain_seconds):
    """Two stops at the same time can end the process with a segmentation fault."""
    with run_server(tmp_path) as running:
        running.begin_stop(drain_seconds).result(30)
    assert set(stops) == {1}

import asyncio
import concurrent.futures
import threading

import pytest

from darkroom.serving.model_server.event_loop import EventLoopThread


@pytest.fixture(autouse=True)
def _no_other_users(monkeypatch):
    """Servers that other tests have left running keep their loop to themselves."""
    monkeypatch.setattr(EventLoopThread, "_shared", None)


async def find_thread():
    return threading.get_ident()


def test_servers_of_a_process_share_one_loop_until_the_last_stops():
    first, second = EventLoopThread(), EventLoopThread()
    try:
        assert first.call(find_thread()) == second.call(find_thread())
        first.stop()
        first.stop()
        assert second.call(find_thread()) != threading.get_ident()
    finally:
        first.stop()
        second.stop()
    third = EventLoopThread()
    try:
        assert third.call(find_thread()) != threading.get_ident()
    finally:
        third.stop()


def test_what_still_runs_is_cancelled_by_the_last_stop():
    loop = EventLoopThread()
    waiting = loop.submit(asyncio.Event().wait())
    loop.stop()
    with pytest.raises(concurrent.futures.CancelledError):
        waiting.result(5)

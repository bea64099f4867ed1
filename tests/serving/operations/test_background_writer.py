"""Items are written once and in order, in one thread, whatever becomes of single writes."""

import threading

import pytest

from darkroom.serving.model_server.operations import background_writer
from darkroom.serving.model_server.operations.background_writer import BackgroundWriter


@pytest.fixture(autouse=True)
def _no_gathering(monkeypatch):
    monkeypatch.setattr(background_writer, "GATHER_SECONDS", 0)


def test_items_of_all_threads_are_written_once_and_each_threads_in_order():
    written, threads = [], set()

    def write(items):
        threads.add(threading.current_thread().name)
        written.extend(items)

    writer = BackgroundWriter("log", write, max_bytes=10**9)

    def offer(name):
        for number in range(2000):
            assert writer.offer((name, number), 1)

    callers = [threading.Thread(target=offer, args=(name,)) for name in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    writer.stop()
    assert threads == {"log"}
    assert len(written) == 8000
    for name in range(4):
        assert [item for item in written if item[0] == name] == [(name, n) for n in range(2000)]


def test_write_that_fails_is_reported_and_the_next_one_goes_on(caplog):
    written = []
    failed = threading.Event()

    def write(items):
        if not failed.is_set():
            failed.set()
            raise ValueError("broken")
        written.extend(items)

    writer = BackgroundWriter("log", write, max_bytes=10)
    assert writer.offer("first", 10)
    assert failed.wait(30)
    # The room of what could not be written is given back.
    while not writer.offer("second", 10):
        pass
    writer.stop()
    assert written == ["second"]
    assert "log: cannot write" in caplog.text


def test_no_more_waits_than_there_is_room_for_and_written_items_make_room():
    begun, go_on = threading.Event(), threading.Event()

    def write(items):
        begun.set()
        assert go_on.wait(30)

    writer = BackgroundWriter("log", write, max_bytes=10)
    assert writer.offer("a", 6)
    assert begun.wait(30)
    # What is being written still takes memory.
    assert not writer.offer("b", 6)
    assert writer.offer("c", 4)
    go_on.set()
    while not writer.offer("d", 10):
        pass
    writer.stop()


def test_stop_writes_what_waits_takes_no_more_and_may_be_called_twice():
    written = []
    writer = BackgroundWriter("log", written.extend, max_bytes=10)
    assert writer.offer("a", 1)
    writer.stop()
    writer.stop()
    assert written == ["a"]
    assert not writer.offer("b", 1)


def test_writer_that_is_not_used_starts_no_thread():
    before = threading.active_count()
    BackgroundWriter("log", print, max_bytes=10).stop()
    assert threading.active_count() == before

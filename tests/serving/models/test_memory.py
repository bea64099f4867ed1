"""Garbage is collected for all who ask, and not more often than that takes."""

import gc
import threading
import weakref

from darkroom.serving.model_server.models import memory


class Circle:
    def __init__(self):
        self.myself = self


def test_what_was_garbage_is_gone():
    gone = weakref.ref(Circle())
    memory.give_back()
    assert gone() is None


def test_those_who_wait_for_one_collection_share_the_next(monkeypatch):
    collections, threads = [], []
    collector = memory.Collector()
    waiting = threading.Barrier(5)

    def ask():
        waiting.wait(20)
        collector.collect()

    def collect():
        collections.append(None)
        if len(collections) == 1:
            waiting.wait(20)
            # Enough for the others to come to the lock; a later one would only collect once more.
            threading.Event().wait(0.3)

    monkeypatch.setattr(gc, "collect", collect)
    threads += [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    collector.collect()
    for thread in threads:
        thread.join(20)
    assert len(collections) == 2

"""Counting what is done, from several threads at once."""

from concurrent.futures import ThreadPoolExecutor

from darkroom.records import progress


def test_nothing_is_lost_between_threads():
    progress.begin("images")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: (progress.expect(1), progress.advance()), range(2000)))
    found = progress.look()
    assert (found.unit, found.done, found.total) == ("images", 2000, 2000)


def test_where_nobody_began_nothing_is_counted():
    progress.end()
    progress.advance()
    progress.enter("epoch 1/2")
    assert progress.look() is None


def test_each_count_begins_at_nothing():
    progress.begin("images")
    progress.advance(5)
    progress.begin("steps")
    progress.enter("epoch 1/2")
    found = progress.look()
    assert (found.unit, found.done, found.total, found.part) == ("steps", 0, 0, "epoch 1/2")

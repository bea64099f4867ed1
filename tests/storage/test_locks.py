import multiprocessing
import threading

import pytest

from darkroom.storage.locks import locked


class TakenError(Exception):
    """Raised instead of waiting."""


def refuse():
    raise TakenError


def hold(path, held):
    with locked(path):
        held.set()
        threading.Event().wait(60)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def test_one_at_a_time_has_it_and_the_others_wait(path):
    said, ended = threading.Event(), []

    def follow():
        with locked(path, said.set):
            ended.append("second")

    second = threading.Thread(target=follow)
    with locked(path):
        second.start()
        assert said.wait(20)
        ended.append("first")
    second.join(20)
    assert ended == ["first", "second"]


def test_who_does_not_want_to_wait_is_told_and_leaves_it_to_the_other(path):
    with locked(path, refuse), pytest.raises(TakenError), locked(path, refuse):
        pytest.fail("two have it")
    with locked(path, refuse):
        assert path.exists()


def test_a_process_that_is_killed_gives_it_back(path):
    context = multiprocessing.get_context("fork")
    held = context.Event()
    process = context.Process(target=hold, args=(path, held))
    process.start()
    assert held.wait(20)
    with pytest.raises(TakenError), locked(path, refuse):
        pytest.fail("two have it")
    process.kill()
    process.join()
    with locked(path, refuse):
        pass


def test_what_the_file_holds_stays(path):
    path.write_text("said before")
    with locked(path):
        assert path.read_text() == "said before"

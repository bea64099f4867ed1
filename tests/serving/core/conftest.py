import contextlib

import pytest

from darkroom.serving.model_server.models import memory
from darkroom.tests.serving.core.served import Served


@pytest.fixture(autouse=True)
def _collect_no_garbage(monkeypatch):
    # With TensorFlow in the process, each time takes longer than any of these tests.
    monkeypatch.setattr(memory, "give_back", lambda: None)


@pytest.fixture
def serve(tmp_path):
    with contextlib.ExitStack() as stack:

        def create(**options):
            served = Served(tmp_path, **options)
            stack.callback(served.core.join, 20)
            stack.callback(served.core.stop)
            return served

        yield create


@pytest.fixture
def served(serve):
    return serve()

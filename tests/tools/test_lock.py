import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
BOOTSTRAP = (ROOT / "requirements-bootstrap.txt").read_text()


def entries(text: str) -> list[str]:
    """The requirements of a file, each with its continuation lines."""
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("text", [LOCK, BOOTSTRAP], ids=["lock", "bootstrap"])
def test_every_requirement_is_pinned_and_hashed(text):
    for entry in entries(text):
        assert re.match(r"[A-Za-z0-9._-]+==\S+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry


@pytest.mark.parametrize("text", [LOCK, BOOTSTRAP], ids=["lock", "bootstrap"])
def test_no_host_is_named(text):
    assert "://" not in text
    assert not re.search(r"--(index-url|extra-index-url|find-links|trusted-host)|^-[if]\b", text)


@pytest.mark.parametrize(
    ("package", "old", "new"),
    [
        ("tfx", "1.16.0", "1.21.0"),
        ("tensorflow", "2.16.2", "2.21.0"),
        ("apache-beam", "2.68.0", "2.77.0"),
    ],
)
def test_both_columns_are_there(package, old, new):
    assert re.search(rf"^{package}=={old} ; python_full_version < '3\.11'", LOCK, re.M)
    assert re.search(rf"^{package}=={new} ; python_full_version >= '3\.11'", LOCK, re.M)


def test_the_project_asks_for_nothing_that_is_not_locked():
    project = (ROOT / "pyproject.toml").read_text()
    listed = project[project.index("dependencies = [") : project.index("[tool.setuptools.")]
    wanted = re.findall(r"[\"\[]([A-Za-z][A-Za-z0-9-]+)[^\"]*\"[,\]]", listed)
    locked = {entry.split("==")[0] for entry in entries(LOCK)}
    assert len(wanted) > 30
    assert {name.lower() for name in wanted} <= locked


def test_the_exact_versions_asked_for_are_locked():
    project = (ROOT / "pyproject.toml").read_text()
    pins = re.findall(r"\"([a-z-]+)==([0-9.]+); python_version", project)
    assert len(pins) == 20
    for package, version in pins:
        assert f"\n{package}=={version} ;" in LOCK

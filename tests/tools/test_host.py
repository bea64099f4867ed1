import os
import sys
from pathlib import Path

import pytest

from darkroom.tools.host import (
    candidate_paths,
    find_interpreters,
    glibc_version,
    parse_glibc,
    probe,
)


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("glibc 2.36", (2, 36)),
        ("glibc 2.39.1", (2, 39)),
        ("musl 1.2", None),
        ("glibc", None),
        ("glibc 2.x", None),
        ("", None),
    ],
)
def test_parse_glibc(name, version):
    assert parse_glibc(name) == version


def test_this_host_has_a_glibc_that_the_tests_run_on():
    assert glibc_version() >= (2, 17)


def test_probe_reads_version_of_a_real_python():
    found = probe(Path(sys.executable))
    assert found.version == sys.version_info[:2]
    assert found.path == sys.executable


def test_probe_passes_over_what_does_not_answer(tmp_path):
    shim = executable(tmp_path / "python3.10", "#!/bin/sh\nexit 127\n")
    other = executable(tmp_path / "python3.11", "#!/bin/sh\necho '[\"PyPy\", [3, 11], true]'\n")
    noise = executable(tmp_path / "python3.12", "#!/bin/sh\necho hello\n")
    assert [probe(path) for path in (shim, other, noise, tmp_path / "absent")] == [None] * 4


def test_candidates_come_from_the_path_and_from_pyenv(tmp_path):
    first = executable(tmp_path / "a" / "python3.10", "")
    second = executable(tmp_path / "b" / "python3.10", "")
    kept = executable(tmp_path / "pyenv" / "versions" / "3.10.4" / "bin" / "python3.10", "")
    (tmp_path / "b" / "python3.12").write_text("not executable")
    environ = {
        "PATH": os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b")]),
        "PYENV_ROOT": str(tmp_path / "pyenv"),
    }
    assert list(candidate_paths(environ)) == [first, second, kept]


def test_a_broken_first_python_does_not_hide_the_next(tmp_path):
    name = "python{}.{}".format(*sys.version_info)
    executable(tmp_path / "shims" / name, "#!/bin/sh\nexit 127\n")
    real = tmp_path / "bin" / name
    real.parent.mkdir()
    real.symlink_to(sys.executable)
    environ = {"PATH": f"{tmp_path / 'shims'}{os.pathsep}{real.parent}", "HOME": str(tmp_path)}
    assert [found.path for found in find_interpreters(environ)] == [str(real)]

"""The installed package works without the repository."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from darkroom.tests.rooms import NOT_INSTALLED, ROOMS, ROOT
from darkroom.tests.wheel import MODULES, build_wheel

DATA_SUFFIXES = (".binpb", ".j2", ".h5", ".npz", ".json")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--disable-pip-version-check", "--target", str(target), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def run_outside(script: str, installed: Path, cwd: Path) -> str:
    """Run a script that sees the installed package and the libraries, but not the repository.

    -S leaves out the .pth files of site-packages, the editable install's among them.
    """
    paths = [str(installed), sysconfig.get_paths()["purelib"]]
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {paths!r}; {script}"]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_wheel_holds_all_code_and_data(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"darkroom/{path.relative_to(ROOT).as_posix()}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix == ".py" or path.suffix in DATA_SUFFIXES or path.parent.name == "weights"
    }
    wanted = {name for name in wanted if "__pycache__" not in name}
    modules = {f"darkroom/{name}" for name in MODULES}
    assert wanted | modules <= packed
    assert {name.split("/")[0] for name in packed if ".dist-info/" not in name} == {"darkroom"}
    outside = ("setup.py", *NOT_INSTALLED)
    assert not {name for name in packed if name.split("/")[1] in outside}


def test_recipes_and_documents_are_in_it(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    for folder, pattern in (("configs", "*.yaml"), ("docs", "*.md")):
        files = [f"darkroom/{folder}/{path.name}" for path in (ROOT / folder).glob(pattern)]
        assert files and set(files) <= packed


def test_the_command_works_from_the_installed_package(installed, tmp_path):
    """Digits written out, a recipe made for them and checked, in an empty folder."""
    script = (
        "from darkroom.samples import digits; from darkroom.commands.main import main;"
        "digits.main(['--output', 'mine', '--layout', 'folders', '--per-class', '4']);"
        "codes = [main(['init', 'mine']), main(['check', 'mine.yaml'])];"
        "print(*codes, main(['check', 'nowhere']), main(['check', 'digits']))"
    )
    shown = run_outside(script, installed, tmp_path)
    assert "40 images, 10 classes" in shown
    assert "40 rows, 0 rejected" in shown
    # There is no such recipe; the data of the shipped one are not here.
    assert shown.splitlines()[-1] == "0 0 2 2"


def test_what_others_have_beside_it_under_common_names_is_not_touched(installed, tmp_path):
    """PyPI's `config` and `kubeflow`, or a user's own `trainer`, as they stand on the path."""
    for name in (
        "components",
        "config",
        "kubeflow",
        "pipeline",
        "runner",
        "serving",
        "storage",
        "trainer",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('this is not Darkroom')")
    script = (
        f"sys.path.insert(0, {str(tmp_path)!r}); import darkroom.pipeline;"
        "import darkroom.kubeflow.compile; from darkroom.recipe import load_recipe;"
        "from darkroom.trainer.run import run_fn;"
        "import darkroom; print(darkroom.Quarantine.TYPE_NAME)"
    )
    assert run_outside(script, installed, tmp_path).splitlines()[-1] == "darkroom.Quarantine"


def test_the_shipped_weights_are_installed(installed):
    weights = [
        path
        for path in (installed / "darkroom" / "trainer" / "weights").iterdir()
        if path.is_file()
    ]
    assert any(path.stat().st_size > 100_000 for path in weights)
    assert sum(path.stat().st_size for path in weights) < 5_000_000

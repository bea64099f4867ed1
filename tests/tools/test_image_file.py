"""What kubeflow/Dockerfile promises; `make image-test` holds the rest, in the image itself."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KUBEFLOW = ROOT / "kubeflow"
GPU_LOCK = (KUBEFLOW / "requirements-gpu.lock").read_text()
SECRETS = {"environment", "certificates", "pip.conf", "uv.toml"}


class Stage:
    """One stage: its name, what it is made from, and its instructions, one string each."""

    def __init__(self, line: str) -> None:
        words = line.split()
        self.parent = words[1]
        self.name = words[3] if len(words) > 2 else ""
        self.instructions: list[str] = []

    def all_of(self, keyword: str) -> list[str]:
        return [line for line in self.instructions if line.split()[0] == keyword]


def read_stages() -> list[Stage]:
    text = (KUBEFLOW / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("FROM "):
            stages.append(Stage(line))
        elif stages:
            stages[-1].instructions.append(line)
    return stages


STAGES = {stage.name: stage for stage in read_stages()}
RUNS = [run for stage in STAGES.values() for run in stage.all_of("RUN")]


def test_stages():
    assert list(STAGES) == ["build", "code", "runtime", "test-tools", "test", ""]
    assert STAGES[""].parent == "runtime", "a build without a target must make the image"
    assert STAGES["test"].parent == "runtime", "the tests must run in the image itself"
    assert STAGES["runtime"].parent == "${BASE_IMAGE}"


@pytest.mark.parametrize("name", ["runtime", "test"])
def test_it_runs_as_a_numbered_user_that_is_not_root(name):
    """By number: Kubernetes' runAsNonRoot cannot judge a name."""
    assert STAGES[name].all_of("USER")[-1] == "USER 1000:1000"


def test_the_image_has_no_build_tools():
    lines = " ".join(STAGES["runtime"].instructions)
    assert not re.search(r"apt|g\+\+|gcc|dev|/opt/uv|/build|/source", lines)
    copied = [line.split()[1:] for line in STAGES["runtime"].all_of("COPY")]
    assert copied == [
        ["--from=build", "/opt/darkroom", "/opt/darkroom"],
        ["--from=code", "/app", "/app"],
    ]


def test_whatever_is_installed_has_a_hash_in_a_lock():
    installs = re.findall(r"pip install.*?(?=;|&&|$)", "\n".join(RUNS), flags=re.MULTILINE)
    assert len(installs) == 5
    for install in installs:
        own_code = "--offline" in install and "--no-deps" in install
        assert own_code or "--require-hashes" in install, install
        if "pyproject.toml" in install:
            assert " --constraint requirements.lock" in install
            assert " --build-constraint requirements.lock" in install


def test_what_a_run_needs_is_installed_without_extras():
    assert "--extra" not in " ".join(STAGES["build"].instructions)
    assert "--extra dev" in " ".join(STAGES["test"].instructions)


def test_dependencies_come_before_code():
    copied = STAGES["build"].all_of("COPY")
    assert copied == [
        "COPY requirements-bootstrap.txt ./",
        "COPY pyproject.toml requirements.lock ./",
        "COPY kubeflow/requirements-gpu.lock ./",
    ]


def test_secrets_are_mounted_and_never_copied():
    text = (KUBEFLOW / "Dockerfile").read_text()
    assert set(re.findall(r"type=secret,id=([a-z.]+)", text)) == SECRETS
    for stage in STAGES.values():
        for line in stage.instructions:
            assert line.startswith("RUN ") or "secret" not in line
    assert not re.search(r"cp [^;&]*secrets|secrets[^;]*>", " ".join(RUNS))


@pytest.mark.parametrize("name", ["Dockerfile", "requirements-gpu.in", "requirements-gpu.lock"])
def test_no_host_is_named(name):
    assert not re.search(r"://|--(extra-)?index|find-links|trusted-host", read(name))


def read(name: str) -> str:
    return (KUBEFLOW / name).read_text()


def test_modules_and_files_that_it_names_exist():
    text = " ".join(line for stage in STAGES.values() for line in stage.instructions)
    modules = set(re.findall(r'python3?"?,? "?-m"?,? "?([a-z_.]+)', text))
    assert {"venv", "compileall", "pytest"} <= modules
    for module in modules:
        assert importlib.util.find_spec(module), module
    assert '"pipeline.py"' in text
    for name in ("pipeline.py", "requirements-bootstrap.txt"):
        assert name in text and (ROOT / name).exists()


def test_labels():
    (label,) = STAGES["runtime"].all_of("LABEL")
    named = set(re.findall(r"org\.opencontainers\.image\.([a-z]+)=", label))
    assert {"title", "description", "licenses", "version", "revision"} <= named


def test_the_context_leaves_out_what_git_ignores():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    wanted = {line.strip("/") for line in ignored if line and not line.startswith("#")}
    left_out = {line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split()}
    assert wanted | {".git"} <= left_out


def entries(text: str) -> dict[str, str]:
    """Requirements of Python 3.11 and newer, by name, with their hashes."""
    joined = re.sub(r"^ *#.*\n", "", text.replace("\\\n", " "), flags=re.MULTILINE)
    lines = [line for line in joined.splitlines() if "< '3.11'" not in line]
    return {line.split("==")[0]: line for line in lines if line}


def test_the_gpu_lock_adds_cuda_packages_to_the_lock_and_changes_nothing():
    locked = entries((ROOT / "requirements.lock").read_text())
    for name, entry in entries(GPU_LOCK).items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry
        if name.startswith("nvidia-"):
            assert name not in locked
        else:
            assert entry.split()[0] == locked[name].split()[0]
    assert {"nvidia-cudnn-cu12", "nvidia-nccl-cu12"} <= set(entries(GPU_LOCK))

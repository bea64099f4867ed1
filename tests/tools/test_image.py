import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom.tests.tools.containers import Machine
from darkroom.tools import image as module
from darkroom.tools.engine import Engine, EngineError
from darkroom.tools.image import (
    LOCAL_BASE,
    build,
    choose_base,
    default_base,
    describe_revision,
    main,
    make_base,
    project_version,
    revision_tag,
    run_tests,
    tag_for_tests,
    write_secrets,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Machine:
    """A machine with an engine that runs and knows no image."""
    folder = tmp_path / "bin"
    folder.mkdir()
    made = Machine(folder)
    made.install_docker()
    made.write(running="", images="", registry="", status="0")
    monkeypatch.setenv("PATH", str(folder))
    return made


@pytest.fixture
def engine(machine) -> Engine:
    return Engine(str(machine.folder / "docker"))


def install_mmdebstrap(machine: Machine, monkeypatch, script: str) -> None:
    keyring = machine.folder / "keys.gpg"
    keyring.touch()
    monkeypatch.setattr(module, "KEYRING", str(keyring))
    machine.install("mmdebstrap", f"for last; do :; done; {script}")


def test_the_base_that_is_asked_for_is_taken(machine, engine):
    assert choose_base(engine, "registry:5000/python:3.13") == "registry:5000/python:3.13"
    assert machine.calls() == []


def test_a_base_that_is_here_is_not_pulled(machine, engine):
    machine.write(images=f"{default_base()}\n{LOCAL_BASE}\n")
    assert choose_base(engine, "") == default_base()
    assert machine.calls("docker pull") == []


def test_the_base_is_pulled_where_it_can_be(machine, engine):
    machine.write(registry=f"{default_base()}\n")
    assert choose_base(engine, "") == default_base()


def test_without_a_registry_a_base_is_made_once(machine, engine, monkeypatch):
    install_mmdebstrap(machine, monkeypatch, 'echo "a Debian" > "$last"')
    assert choose_base(engine, "") == LOCAL_BASE
    assert (machine.folder / "imported").read_text() == "a Debian\n"
    assert choose_base(engine, "") == LOCAL_BASE
    assert len(machine.calls("mmdebstrap")) == 1
    assert len(machine.calls("docker pull")) == 1


def test_without_mmdebstrap_one_line_says_what_to_install(engine):
    with pytest.raises(EngineError, match=r"apt-get install mmdebstrap .*BASE_IMAGE") as caught:
        choose_base(engine, "")
    assert default_base() in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_base_that_fails_half_way_is_not_imported(machine, engine, monkeypatch):
    install_mmdebstrap(machine, monkeypatch, 'echo half > "$last"; exit 25')
    with pytest.raises(EngineError, match=r"mmdebstrap .* failed"):
        make_base(engine, "python")
    assert machine.calls("docker import") == []


def test_a_build_has_base_target_and_both_tags(machine, engine):
    build(engine, "darkroom:latest", "runtime", "a-base", "gpu")
    (call,) = machine.calls("docker build")
    tags = re.findall(r"--tag (\S+)", call)
    assert tags[0] == "darkroom:latest"
    assert re.fullmatch(r"darkroom:[A-Za-z0-9_.-]+-gpu", tags[1])
    assert "--target runtime" in call
    assert "BASE_IMAGE=a-base --build-arg VARIANT=gpu" in call
    assert call.endswith(str(ROOT))


def test_secrets_and_proxies_are_not_written_on_the_command_line(machine, engine, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:hunter2@index.example/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@proxy.example")
    build(engine, "darkroom:latest", "runtime", "a-base")
    (call,) = machine.calls("docker build")
    assert "hunter2" not in call
    assert "--build-arg HTTPS_PROXY --" in call
    assert "--secret id=environment," in call


def test_the_image_of_the_tests_gets_one_tag(machine, engine):
    build(engine, "darkroom:latest-test", "test", "a-base")
    assert re.findall(r"--tag (\S+)", machine.calls("docker build")[0]) == ["darkroom:latest-test"]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda engine: build(engine, "mine:1", "runtime", "base"), "Building mine:1 .* status 7"),
        (lambda engine: run_tests(engine, "mine:1-test"), "tests in mine:1-test .* status 7"),
    ],
)
def test_a_failing_command_is_one_line(machine, engine, run, words):
    machine.write(status="7")
    with pytest.raises(EngineError, match=words):
        run(engine)


@pytest.mark.parametrize(
    ("image", "variant", "tag"),
    [
        ("darkroom:latest", "", "darkroom:1a2b-dirty"),
        ("darkroom", "gpu", "darkroom:1a2b-dirty-gpu"),
        ("registry:5000/team/darkroom:v1", "", "registry:5000/team/darkroom:1a2b-dirty"),
        ("registry:5000/darkroom", "gpu", "registry:5000/darkroom:1a2b-dirty-gpu"),
    ],
)
def test_the_revision_becomes_a_tag(image, variant, tag):
    assert revision_tag(image, "1a2b-dirty", variant) == tag


def test_a_tag_has_no_characters_that_docker_refuses():
    assert revision_tag("darkroom", "release/1.0+local") == "darkroom:release-1.0-local"


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("darkroom:latest", "darkroom:latest-test"),
        ("darkroom", "darkroom:latest-test"),
        ("registry:5000/darkroom", "registry:5000/darkroom:latest-test"),
    ],
)
def test_the_image_of_the_tests_is_named_after_the_image(image, tag):
    assert tag_for_tests(image) == tag


def test_a_tree_without_git_has_the_version_of_the_project(tmp_path):
    assert describe_revision(tmp_path) == project_version()


def read_environment(arguments: list[str], name: str) -> str:
    """What a variable is for a shell that has read the secret `environment`."""
    (secret,) = [word for word in arguments if word.startswith("id=environment,src=")]
    script = f'set -a; . {secret.partition("src=")[2]}; printf %s "${name}"'
    return subprocess.run(
        ["/bin/sh", "-c", script], env={}, check=True, capture_output=True, text=True
    ).stdout


@pytest.mark.parametrize("value", ["https://a.example/simple", "a b", "it's $HOME `x` \\ \"", ""])
def test_index_settings_reach_the_shells_of_the_build(tmp_path, value):
    arguments = write_secrets({"UV_INDEX_URL": value, "UV_CACHE": "x"}, tmp_path, tmp_path)
    assert read_environment(arguments, "UV_INDEX_URL") == value
    assert read_environment(arguments, "UV_CACHE") == ""


def test_only_files_that_exist_become_secrets(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BUNDLES", ())
    home = tmp_path / "home"
    (home / ".config" / "uv").mkdir(parents=True)
    (home / ".config" / "uv" / "uv.toml").touch()
    bundle = tmp_path / "bundle.pem"
    environ = {"SSL_CERT_FILE": str(bundle)}
    assert not any("certificates" in word for word in write_secrets(environ, home, tmp_path))
    bundle.touch()
    arguments = write_secrets(environ, home, tmp_path)
    assert f"id=certificates,src={bundle}" in arguments
    assert f"id=uv.toml,src={home}/.config/uv/uv.toml" in arguments
    assert read_environment(arguments, "PIP_CERT") == "/run/secrets/certificates"
    assert read_environment(arguments, "UV_CONFIG_FILE") == "/run/secrets/uv.toml"


def test_the_command_builds_and_then_tests(machine, capsys):
    machine.write(images="a-base\nmine:1\n")
    assert main(["test", "--image", "mine:1", "--base", "a-base"]) == 0
    verbs = [call.split()[1] for call in machine.calls() if "--version" not in call]
    assert [verb for verb in verbs if verb in ("build", "run")] == ["build", "build", "run"]
    assert "mine:1 is tested, on a-base: 3.00 GB" in capsys.readouterr().out


def test_the_command_ends_with_one_line_where_there_is_no_engine(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "tools.image", "build"],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: No container engine here")
    assert ended.stderr.count("\n") == 1


def test_the_command_ends_with_one_where_the_build_fails(machine, capsys):
    machine.write(status="1", images=f"{default_base()}\n")
    assert main(["build"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["engine", "image"])
def test_it_is_written_for_an_old_python_without_libraries(name):
    tree = ast.parse((ROOT / "tools" / f"{name}.py").read_text(), feature_version=(3, 8))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for alias in node.names
    }
    assert imported <= sys.stdlib_module_names

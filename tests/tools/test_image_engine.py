import os
import signal
import time

import pytest

from darkroom.tests.tools.containers import BUILDKIT_BESIDE, Machine
from darkroom.tools import engine as module
from darkroom.tools.engine import EngineError, NoEngineError, find_client, find_engine


@pytest.fixture
def machine(tmp_path) -> Machine:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Machine(folder)


@pytest.fixture
def as_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def refusal(machine, log) -> str:
    with pytest.raises(NoEngineError) as caught:
        find_engine(machine.environ, log)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_machine_without_docker_is_told_what_to_install(machine, tmp_path):
    assert "apt-get install docker.io" in refusal(machine, tmp_path / "log")


def test_a_client_without_buildkit_is_told_what_to_install(machine, tmp_path):
    machine.install_docker(BUILDKIT_BESIDE)
    assert "apt-get install docker-buildx" in refusal(machine, tmp_path / "log")


@pytest.mark.parametrize("words", ["podman version 5.4.2", "", "Docker version"])
def test_another_program_of_that_name_is_not_used(machine, words):
    machine.install_docker(words)
    with pytest.raises(NoEngineError):
        find_client(machine.environ)


def test_the_first_client_that_has_buildkit_is_used(tmp_path):
    machines = [Machine(tmp_path / name) for name in ("new", "old", "newest")]
    for machine in machines:
        machine.folder.mkdir()
    machines[0].install_docker(BUILDKIT_BESIDE)
    older = machines[1].install_docker()
    machines[2].install_docker(BUILDKIT_BESIDE, buildx=True)
    path = os.pathsep.join(["", *(str(machine.folder) for machine in machines)])
    assert find_client({"PATH": path}) == str(older)


def test_a_running_engine_is_used_as_it_is(machine, tmp_path, as_root):
    client = machine.install_docker(BUILDKIT_BESIDE, buildx=True)
    machine.install("dockerd", "exit 1")
    machine.write(running="")
    assert find_engine(machine.environ, tmp_path / "log").client == str(client)
    assert machine.calls("dockerd") == []


def test_only_root_starts_an_engine(machine, tmp_path, monkeypatch):
    machine.install_docker()
    machine.install("dockerd", "exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "start Docker" in refusal(machine, tmp_path / "log")
    assert machine.calls("dockerd") == []


def test_an_engine_elsewhere_is_not_replaced_by_one_here(machine, tmp_path, as_root):
    machine.install_docker()
    machine.install("dockerd", "exit 1")
    machine.environ["DOCKER_HOST"] = "tcp://127.0.0.1:1"
    assert "start Docker" in refusal(machine, tmp_path / "log")
    assert machine.calls("dockerd") == []


def test_root_starts_the_engine_once_and_leaves_it_running(machine, tmp_path, as_root):
    machine.install_docker()
    script = 'echo $$ > "$here/pid"; echo listening; touch "$here/running"; exec sleep 60'
    machine.install("dockerd", script)
    log = tmp_path / "build" / "dockerd.log"
    try:
        for _ in range(2):
            find_engine(machine.environ, log)
        assert len(machine.calls("dockerd")) == 1
        assert log.read_text() == "listening\n"
    finally:
        os.kill(int((machine.folder / "pid").read_text()), signal.SIGTERM)


@pytest.mark.parametrize(
    ("script", "last"),
    [("echo first; echo no space left >&2; exit 1", "no space left"), ("exit 1", "says nothing")],
)
def test_an_engine_that_ends_is_quoted(machine, tmp_path, as_root, script, last):
    machine.install_docker()
    machine.install("dockerd", script)
    with pytest.raises(EngineError, match=rf"dockerd does not start: .*{last}") as caught:
        find_engine(machine.environ, tmp_path / "log")
    assert not isinstance(caught.value, NoEngineError)
    assert "\n" not in str(caught.value)


def test_an_engine_that_never_answers_is_stopped(machine, tmp_path, as_root, monkeypatch):
    monkeypatch.setattr(module, "START_SECONDS", 1.0)
    machine.install_docker()
    machine.install("dockerd", 'echo $$ > "$here/pid"; echo waiting; exec sleep 60')
    started = time.monotonic()
    with pytest.raises(EngineError, match="does not start: waiting"):
        find_engine(machine.environ, tmp_path / "log")
    assert time.monotonic() - started < 20
    pid = int((machine.folder / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_old_clients_are_asked_to_build_with_buildkit():
    assert module.environment({"A": "1"}) == {"A": "1", "DOCKER_BUILDKIT": "1"}

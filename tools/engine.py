"""A container engine that builds and runs images: found, or started where that is ours to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

START_SECONDS = 60.0
FIRST_CLIENT_WITHOUT_BUILDKIT = 23
"""From this version on, BuildKit comes as the plug-in buildx; older clients have it built in."""


class EngineError(Exception):
    """Something about containers failed; the message is one line that says what to do."""


class NoEngineError(EngineError):
    """This machine has no container engine that runs."""


class Engine(NamedTuple):
    """A container engine that answers; `client` is the path of the `docker` command."""

    client: str

    def ask(self, *words: str) -> str | None:
        """What a docker command prints; None when it fails."""
        return answer([self.client, *words])

    def run(self, *words: str) -> int:
        """Run a docker command whose output the user sees; returns its exit status."""
        return subprocess.run([self.client, *words], env=environment(os.environ)).returncode

    def has(self, image: str) -> bool:
        """Whether an image is on this machine."""
        return self.ask("image", "inspect", "--format", "{{.Id}}", image) is not None


def find_engine(environ: Mapping[str, str], log: Path) -> Engine:
    """Find a running engine; as root, start one that is installed and not running.

    Args:
        log: File for the words of an engine that is started; it goes on running.

    Raises:
        NoEngineError: There is none.
        EngineError: There is one, and it does not start.
    """
    engine = Engine(find_client(environ))
    if is_running(engine):
        return engine
    daemon = shutil.which("dockerd", path=environ.get("PATH"))
    if daemon is None or os.geteuid() != 0 or environ.get("DOCKER_HOST"):
        raise NoEngineError(
            f"No container engine answers {engine.client}: start Docker, or let this user ask it "
            "(group docker)."
        )
    start(engine, daemon, log)
    return engine


def find_client(environ: Mapping[str, str]) -> str:
    """Path of the first `docker` on the PATH that builds with BuildKit, else NoEngineError."""
    clients = list(list_clients(environ))
    for client in clients:
        if has_buildkit(client):
            return client
    if clients:
        raise NoEngineError(
            f"{clients[0]} cannot build with BuildKit: install its plug-in buildx "
            "(Debian, Ubuntu: apt-get install docker-buildx)."
        )
    raise NoEngineError(
        "No container engine here: install Docker (Debian, Ubuntu: apt-get install docker.io)."
    )


def list_clients(environ: Mapping[str, str]) -> Iterator[str]:
    """Every `docker` on the PATH."""
    for folder in environ.get("PATH", "").split(os.pathsep):
        client = shutil.which("docker", path=folder) if folder else None
        if client:
            yield client


def has_buildkit(client: str) -> bool:
    """Whether this client's `build` is BuildKit's."""
    found = re.match(r"Docker version (\d+)\.", answer([client, "--version"]) or "")
    if found is None:
        return False
    older = int(found.group(1)) < FIRST_CLIENT_WITHOUT_BUILDKIT
    return older or answer([client, "buildx", "version"]) is not None


def is_running(engine: Engine) -> bool:
    """Whether the engine behind the client answers."""
    return engine.ask("version", "--format", "{{.Server.Version}}") is not None


def start(engine: Engine, daemon: str, log: Path) -> None:
    """Start the engine in the background and wait until it answers.

    Raises:
        EngineError: It ended, or did not answer in time; the message has its last words.
    """
    print(f"Starting {daemon}; its log is {log}.", flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [daemon],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if is_running(engine):
            return
        time.sleep(0.2)
    if process.poll() is None:
        process.terminate()
        process.wait()
    lines = log.read_text(errors="replace").splitlines()
    raise EngineError(f"{daemon} does not start: {lines[-1] if lines else 'it says nothing'}")


def answer(command: list[str]) -> str | None:
    """What a command prints, stripped; None when it fails."""
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(os.environ),
        )
    except OSError:
        return None
    return ended.stdout.decode(errors="replace").strip() if ended.returncode == 0 else None


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of docker commands: with it, an old client builds with BuildKit too."""
    return {**environ, "DOCKER_BUILDKIT": "1"}

"""Make `.venv`: `python3 -m tools.setup_environment`, from the repository's root.

Picks the newest column of versions that the host can run, installs exactly what
`requirements.lock` says and the project itself, and leaves a stamp. With a good stamp the next
call returns at once; without one, `.venv` is taken for half-made and made anew.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .columns import Choice, SetupError, choose, dotted
from .host import look_at_host, probe

LOCK = "requirements.lock"
BOOTSTRAP = "requirements-bootstrap.txt"
INPUTS = (LOCK, BOOTSTRAP, "pyproject.toml", "setup.py")
"""Files whose content decides what the environment holds."""


class Environment:
    """The virtual environment of one working tree, whose root is absolute."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.uv = self.folder / "uv" / "bin" / "uv"
        self.stamp = self.folder / "darkroom-setup.json"

    def make(self) -> None:
        """Bring the environment up to date, if it is not; SetupError where it cannot be."""
        stamp = self.read_stamp()
        if stamp == self.expected_stamp():
            return
        if stamp is None or stamp.get("root") != str(self.root) or not self.python.exists():
            self.create()
        self.fill()

    def read_stamp(self) -> dict[str, str] | None:
        """What the last finished set-up left; None when none finished."""
        try:
            return dict(json.loads(self.stamp.read_text()))
        except (OSError, ValueError):
            return None

    def expected_stamp(self) -> dict[str, str]:
        """The stamp of an environment that is up to date."""
        digest = hashlib.sha256()
        for name in INPUTS:
            digest.update((self.root / name).read_bytes())
        return {"inputs": digest.hexdigest(), "root": str(self.root), "made": marker(self.python)}

    def create(self) -> None:
        """Make an empty environment with the right Python, and uv beside it."""
        choice = choose(look_at_host(os.environ))
        print(choice.describe(), flush=True)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.install_uv()
        python = choice.interpreter.path if choice.interpreter else self.download(choice)
        run([self.uv, "venv", "--quiet", "--allow-existing", "--python", python, self.folder])

    def install_uv(self) -> None:
        """Install uv, pinned and hashed, with the host's own pip or one borrowed for it."""
        target = self.uv.parent.parent
        python = sys.executable if importlib.util.find_spec("pip") else self.borrow_pip()
        run(
            [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--require-hashes",
                "--only-binary",
                ":all:",
                "--target",
                target,
                "-r",
                self.root / BOOTSTRAP,
            ]
        )

    def borrow_pip(self) -> Path:
        """Make a throw-away environment that has pip; returns its Python.

        Raises:
            SetupError: This Python comes without ensurepip, as Debian's does.
        """
        if importlib.util.find_spec("ensurepip") is None:
            version = dotted((sys.version_info[0], sys.version_info[1]))
            raise SetupError(
                f"{sys.executable} has neither pip nor ensurepip: on Debian and Ubuntu, "
                f"apt-get install python{version}-venv and try again."
            )
        folder = self.folder / "pip"
        run([sys.executable, "-m", "venv", folder])
        return folder / "bin" / "python"

    def download(self, choice: Choice) -> str:
        """Find a Python that uv manages, or let uv fetch one; returns its path, else SetupError."""
        version = dotted(choice.column.download)
        try:
            run([self.uv, "python", "install", "--no-bin", version])
        except SetupError as error:
            raise SetupError(
                f"No usable Python {version} here, and downloading one failed: "
                f"install python{version} with its C headers and try again."
            ) from error
        command = [str(self.uv), "python", "find", "--managed-python", "--no-project", version]
        return subprocess.check_output(command).decode().strip()

    def fill(self) -> None:
        """Install what the lock says and the project, then leave the stamp."""
        if self.stamp.exists():
            self.stamp.unlink()
        if not self.uv.exists():
            self.install_uv()
        print(f"Installing what {LOCK} says into .venv; the first time takes minutes.", flush=True)
        self.uv_pip("sync", "--require-hashes", self.root / LOCK)
        # Editable, so that Beam's workers and the tfx command find the rooms from any folder.
        self.uv_pip("install", "--no-deps", "--no-build-isolation", "--editable", self.root)
        if probe(self.python) is None:
            raise SetupError(f"{self.python} does not run: remove .venv and try again.")
        self.stamp.write_text(json.dumps(self.expected_stamp(), indent=2) + "\n")
        print("Ready: .venv is complete.", flush=True)

    def uv_pip(self, verb: str, *arguments: str | Path) -> None:
        """Run `uv pip` on the environment."""
        run([self.uv, "pip", verb, "--quiet", "--python", self.python, *arguments])


def marker(python: Path) -> str:
    """Identify the interpreter behind an environment; "" when it is gone."""
    return str(python.resolve()) if python.exists() else ""


def run(command: Sequence[str | Path]) -> None:
    """Run a command whose output the user sees; SetupError where it fails."""
    words = [str(word) for word in command]
    what = " ".join([Path(words[0]).name, *words[1:3]])
    # In a container everybody is root, and pip's warning about it helps nobody.
    environ = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    try:
        status = subprocess.run(words, env=environ).returncode
    except OSError as error:
        raise SetupError(f"`{what}` does not start: {error}") from error
    if status:
        raise SetupError(f"`{what}` ended with status {status}; its own words are above.")


def main() -> int:
    """Command line; returns the exit status."""
    try:
        Environment(Path(__file__).resolve().parent.parent).make()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

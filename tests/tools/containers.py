"""Stand-ins for the programs of a container engine, on a PATH of their own."""

import shlex
from pathlib import Path

BUILDKIT_INSIDE = "Docker version 20.10.24, build 297e128"
BUILDKIT_BESIDE = "Docker version 28.2.2, build e6534b4"


class Machine:
    """A machine that has the programs given here, and no others.

    Attributes:
        folder: Folder of the programs, and of the files that they read and write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": str(folder)}

    def install(self, name: str, script: str) -> Path:
        """Put a program there; the script's words find the machine's folder in $here."""
        program = self.folder / name
        head = f"#!/bin/sh\nPATH=/usr/bin:/bin\nhere={shlex.quote(str(self.folder))}\n"
        program.write_text(head + f'echo "{name} $*" >> "$here/calls"\n{script}\n')
        program.chmod(0o755)
        return program

    def install_docker(self, version: str = BUILDKIT_INSIDE, buildx: bool = False) -> Path:
        """Put a client there. Its engine runs while the file `running` is there.

        The files `images` and `registry` list what is on the machine and what can be pulled; the
        file `status` holds the exit status of `build` and `run`.
        """
        return self.install(
            "docker",
            f"""
            case "$1 $2" in
                "--version ") echo {shlex.quote(version)} ;;
                "buildx version") exit {0 if buildx else 1} ;;
                "version --format") test -e "$here/running" ;;
                "image inspect") grep -qxF -- "$5" "$here/images" && echo 3000000000 ;;
                "pull --quiet") grep -qxF -- "$3" "$here/registry" ;;
                "import --change") cat "$4" > "$here/imported" && echo "$5" >> "$here/images" ;;
                *) exit "$(cat "$here/status")" ;;
            esac
            """,
        )

    def write(self, **files: str) -> None:
        """Write files that the programs read."""
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def calls(self, start: str = "") -> list[str]:
        """The commands that were given so far and begin so."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(start)]

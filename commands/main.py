"""`darkroom COMMAND …`: the command line.

Exit codes: 0 done, 1 failed, 2 refused, 130 interrupted; `run` has those of `pipeline.py` too:
3 not blessed, 4 withdrawn.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, Protocol

from darkroom.commands import (
    check,
    compare,
    init,
    predict,
    promote,
    prune,
    recipe,
    rollback,
    run,
    runs,
    serve,
    show,
    versions,
)
from darkroom.records.suggestion import did_you_mean
from darkroom.runner.interpreter import leave

EXIT_FAILED: Final = 1
EXIT_REFUSED: Final = 2
EXIT_INTERRUPTED: Final = 130
EXIT_BROKEN_PIPE: Final = 141


class Command(Protocol):
    """A module of this room.

    Attributes:
        HELP: What it does, in one line.
    """

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares its arguments."""

    def run(self, options: argparse.Namespace) -> int:
        """Does it; returns the exit code.

        What it needs beyond the parser is imported here. Errors of the rooms may pass.
        """


COMMANDS: Final[Mapping[str, Command]] = {
    "init": init,
    "check": check,
    "run": run,
    "runs": runs,
    "show": show,
    "compare": compare,
    "serve": serve,
    "predict": predict,
    "versions": versions,
    "rollback": rollback,
    "promote": promote,
    "prune": prune,
    "recipe": recipe,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    wrong = next(
        (word for word in words[:1] if not word.startswith("-") and word not in COMMANDS), ""
    )
    if wrong:
        return _refuse(f"{wrong!r} is no command; {did_you_mean(wrong, COMMANDS)}")
    options = create_parser().parse_args(words)
    try:
        return _run(options)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Else Python complains when it flushes what it could not write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def program() -> NoReturn:
    """Runs the command line, and ends the process."""
    leave(main())


def create_parser() -> argparse.ArgumentParser:
    """Returns the parser; its result has the command's name as `command`."""
    parser = _Parser(
        prog="darkroom",
        description="From a table of images to a served model.",
        epilog="Exit codes: 0 done, 1 failed, 2 refused, 3 not blessed, 4 withdrawn, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, command in COMMANDS.items():
        added = commands.add_parser(name, help=command.HELP, description=f"{command.HELP}.")
        command.add_arguments(added)
    return parser


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, with the option that may be meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = super().parse_known_args(args, namespace)
        wrong = next((word for word in unknown if word.startswith("--")), "")
        if wrong:
            known = [word for word in self._option_string_actions if word.startswith("--")]
            self.error(f"{wrong!r} is no option; {did_you_mean(wrong, known)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(_refuse(f"{message} (see {self.prog} --help)"))


class _Version(argparse.Action):
    """Looks the version up only where it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str):
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"darkroom {version('darkroom')}")
        parser.exit()


def _run(options: argparse.Namespace) -> int:
    try:
        return COMMANDS[options.command].run(options)
    except BrokenPipeError:
        raise
    except Exception as error:
        code = _find_code(error)
        if code is None:
            raise
        return _refuse(str(error), code)


def _find_code(error: Exception) -> int | None:
    """The exit code of a refusal; None for a mistake of ours."""
    # Half of the time of a command that reads no recipe would go into importing what reads one.
    from darkroom.components.errors import ComponentError
    from darkroom.recipe import ConfigError
    from darkroom.runner.session import RunError
    from darkroom.storage.errors import StorageError

    if isinstance(error, ConfigError | ComponentError | StorageError):
        return EXIT_REFUSED
    return EXIT_FAILED if isinstance(error, RunError | OSError) else None


def _refuse(message: str, code: int = EXIT_REFUSED) -> int:
    print(f"error: {message}", file=sys.stderr)
    return code

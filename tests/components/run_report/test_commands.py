import shlex
from dataclasses import replace

from darkroom.commands.main import create_parser
from darkroom.components.run_report.commands import list_commands
from darkroom.components.run_report.data import Request, Verdict
from darkroom.tests.components.run_report.pages import WHOLE


def lines_of(data):
    return [line for command in list_commands(data) for line in command.lines]


def test_a_pushed_run_is_reproduced_compared_served_and_asked():
    assert lines_of(WHOLE) == [
        "cd /home/me",
        "git checkout 0123456789abcdef0123456789abcdef01234567",
        "darkroom run 'my digits.yaml' --set trainer.seed=7",
        "darkroom compare digits/20261119-080000 digits/20261120-103341",
        "darkroom serve digits",
        "darkroom predict IMAGE --name digits",
    ]


def test_the_command_line_takes_them():
    parser = create_parser()
    elsewhere = replace(WHOLE.request, recipe={"runs_folder": "my runs"})
    for line in [*lines_of(WHOLE), *lines_of(replace(WHOLE, request=elsewhere))]:
        program, *arguments = shlex.split(line)
        if program == "darkroom":
            parser.parse_args(arguments)


def test_changed_files_cannot_be_checked_out():
    dirty = replace(WHOLE.request, commit=f"{WHOLE.request.commit}-dirty")
    assert not any(line.startswith("git") for line in lines_of(replace(WHOLE, request=dirty)))


def test_what_was_not_pushed_is_not_served():
    blocked = replace(WHOLE, verdict=Verdict("not_blessed", 7), previous="")
    assert [line.split()[:2] for line in lines_of(blocked)] == [
        ["cd", "/home/me"],
        ["git", "checkout"],
        ["darkroom", "run"],
    ]


def test_without_a_recipe_file_there_is_nothing_to_type():
    assert list_commands(replace(WHOLE, request=Request("digits"))) == ()

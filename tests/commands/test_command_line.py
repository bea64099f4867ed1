"""The command `darkroom` as a process, from a folder that is not the project's."""

import json
import os
import subprocess
import sys

import pytest

from darkroom.commands.main import COMMANDS, create_parser, main

HEAVY = ("tensorflow", "tfx", "apache_beam", "keras", "ml_metadata", "tensorflow_data_validation")


def call(*arguments, cwd):
    command = [sys.executable, "-m", "darkroom", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


def imported_by(*arguments, cwd):
    script = (
        "import sys; from darkroom.commands.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    return ended.stderr.splitlines()[-1]


def test_every_command_says_what_it_does(tmp_path):
    shown = call("--help", cwd=tmp_path).stdout
    assert all(f"\n    {name} " in shown for name in COMMANDS)
    for name in COMMANDS:
        assert call(name, "--help", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "arguments", [["--help"], ["runs"], ["show", "x"], ["recipe"], ["versions", "x"]]
)
def test_what_needs_no_tensorflow_imports_none(tmp_path, arguments):
    assert imported_by(*arguments, cwd=tmp_path) == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rums"], "'rums' is no command; did you mean 'runs'?"),
        (["zzz"], "'zzz' is no command; use one of "),
        (["recipe", "trainer.sed"], "did you mean 'trainer.seed'?"),
        (["run", "nowhere.yaml"], "cannot read 'nowhere.yaml' (No such file or directory)"),
        (["run", "nowhere.yaml", "--set", "x"], "cannot read 'nowhere.yaml'"),
        (["run", "digit"], "did you mean 'digits'?"),
        (["run", "digits", "--dryrun"], "'--dryrun' is no option; did you mean '--dry-run'?"),
        (["run"], "the following arguments are required: RECIPE (see darkroom run --help)"),
        (["show", "nowhere"], "there is no run 'nowhere' in 'runs'"),
        (["versions", "nowhere"], "no pipeline 'nowhere' has run in 'runs'; none has"),
        (["predict", "x.png"], "--name: which pipeline's model? In 'runs' none has run"),
    ],
)
def test_mistakes_are_one_line(tmp_path, arguments, said):
    ended = call(*arguments, cwd=tmp_path)
    assert ended.returncode in (1, 2)
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1
    assert said in ended.stderr


def test_nothing_is_written_by_asking(tmp_path):
    for arguments in (["runs"], ["show", "x"], ["versions", "x"], ["recipe", "--schema"]):
        call(*arguments, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom", "recipe", "--schema"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 141


def test_the_version_is_the_packages(capsys):
    from importlib.metadata import version

    with pytest.raises(SystemExit) as ended:
        create_parser().parse_args(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"darkroom {version('darkroom')}\n"


def test_the_schema_is_json(capsys):
    assert main(["recipe", "--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["name"]["description"] == "Name of the pipeline."


def test_it_is_installed_as_a_program(tmp_path):
    program = os.path.join(os.path.dirname(sys.executable), "darkroom")  # noqa: PTH120
    shown = subprocess.run([program, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0 and shown.stdout.startswith("darkroom ")

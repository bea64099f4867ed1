import pytest

from darkroom.tools.columns import NEW, OLD, Host, Interpreter, SetupError, choose


def python(minor: int, headers: bool = True) -> Interpreter:
    return Interpreter((3, minor), f"/somewhere/python3.{minor}", headers)


def host(
    glibc: tuple[int, int] | None,
    *interpreters: Interpreter,
    system: str = "Linux",
    machine: str = "x86_64",
    compiler: bool = True,
) -> Host:
    return Host(system, machine, glibc, compiler, interpreters)


@pytest.mark.parametrize(
    ("facts", "column", "version"),
    [
        (host((2, 36), python(10), python(13)), OLD, (3, 10)),
        (host((2, 17), python(10)), OLD, (3, 10)),
        (host((2, 38), python(10), python(12)), OLD, (3, 10)),
        (host((2, 39), python(10), python(12)), NEW, (3, 12)),
        (host((2, 39), python(11)), NEW, (3, 11)),
        (host((2, 41), python(11), python(13), python(12)), NEW, (3, 13)),
        (host((3, 0), python(12)), NEW, (3, 12)),
        (host((2, 41), python(10)), OLD, (3, 10)),
        (host((2, 41), python(13, headers=False), python(12)), NEW, (3, 12)),
        (host((2, 41), python(13, headers=False), python(10)), OLD, (3, 10)),
        (host((2, 36), python(10, headers=False)), OLD, None),
        (host((2, 36), python(13)), OLD, None),
        (host((2, 36)), OLD, None),
        (host((2, 41)), NEW, None),
        (host((2, 41), python(14)), NEW, None),
    ],
)
def test_the_newest_column_that_runs_is_chosen(facts, column, version):
    choice = choose(facts)
    assert choice.column is column
    assert (choice.interpreter.version if choice.interpreter else None) == version


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            host((2, 36), python(10)),
            "TFX 1.16 on Python 3.10: this host has glibc 2.36, TFX 1.21 needs 2.39.",
        ),
        (
            host((2, 41), python(12)),
            "TFX 1.21 on Python 3.12: this host has glibc 2.41 (it needs 2.39).",
        ),
        (
            host((2, 41), python(10)),
            "TFX 1.16 on Python 3.10: TFX 1.21 needs one of 3.11 to 3.13, "
            "and there is no Python 3.11 or 3.12 or 3.13 here.",
        ),
        (
            host((2, 41), python(10), python(13, headers=False)),
            "TFX 1.16 on Python 3.10: TFX 1.21 needs one of 3.11 to 3.13, "
            "and Python 3.13 here lacks its C headers (python3.13-dev).",
        ),
        (
            host((2, 36)),
            "TFX 1.16 on Python 3.10: there is no Python 3.10 here, so uv downloads one.",
        ),
    ],
)
def test_the_choice_explains_itself_in_one_line(facts, line):
    assert choose(facts).describe() == line


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (host(None, python(10), system="Darwin"), "Darwin"),
        (host((2, 41), python(12), machine="aarch64"), "aarch64"),
        (host(None, python(12)), "musl"),
        (host((2, 12), python(10)), "glibc 2.12"),
        (host((2, 41), python(12), compiler=False), "apt-get install g\\+\\+"),
    ],
)
def test_a_host_that_can_run_neither_gets_one_line(facts, words):
    with pytest.raises(SetupError, match=words) as caught:
        choose(facts)
    assert "\n" not in str(caught.value)

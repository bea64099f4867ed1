"""A key said twice is refused; YAML's own reader drops the first without a word."""

import pytest
import yaml

from darkroom import pipeline
from darkroom.kubeflow.compile import main as compile_main
from darkroom.recipe import ConfigError, load_recipe, read_yaml
from darkroom.tests.workspace import Workspace


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a: is said twice, in lines 1 and 3; keep"),
        ("a:\n  b: 1\n  c: 2\n  b: 1\n", "a.b: is said twice, in lines 2 and 4; keep"),
        ("a: 1\na: 2\na: 3\n", "a: is said 3 times, in lines 1 and 2 and 3; keep"),
        ("a:\n- b: 1\n- c: 2\n  c: 3\n", "a.1.c: is said twice, in lines 3 and 4; keep"),
        ("a: {b: 1, 'b': 2}\n", "a.b: is said twice, in line 1; keep"),
        ("a: {b: 1}\nc:\n  <<: &x {d: 1, d: 2}\n", "c.<<.d: is said twice, in line 3; keep"),
    ],
)
def test_a_key_said_twice_is_named_with_its_lines(text, message):
    with pytest.raises(ConfigError) as caught:
        read_yaml(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_each_has_a_line_of_its_own_in_the_order_of_the_file():
    with pytest.raises(ConfigError) as caught:
        read_yaml("b: {c: 1, c: 2}\na: 1\nb: 3\na: 2\n")
    names = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert names == ["b.c", "b", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3\ne: *x\nf: *x\n",
        "a: &x {b: 1}\nc: &y {b: 2}\nd:\n  <<: *x\n  <<: *y\n",
        "a: &x {b: 1}\nd:\n  <<: [*x, {b: 2}]\n",
        "a: {b: 1}\nc: {b: 1}\n",
        "",
        "3",
    ],
)
def test_what_is_no_repetition_is_read_as_before(text):
    assert read_yaml(text) == yaml.safe_load(text)


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe with a second section `evaluation`, which would drop the first one's bound."""
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path, per_class=2)
    path = workspace.write_recipe()
    path.write_text(path.read_text() + "evaluation:\n  thresholds: {accuracy: {min: 0.1}}\n")
    return path


def test_a_recipe_that_says_a_section_twice_is_refused(recipe, capsys):
    lines = [n for n, line in enumerate(recipe.read_text().splitlines(), 1) if "evaluation" in line]
    message = f"evaluation: is said twice, in lines {lines[0]} and {lines[1]}"
    with pytest.raises(ConfigError, match=message):
        load_recipe(recipe)
    assert pipeline.main(["--config", str(recipe)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    arguments = ["--config", str(recipe), "--image", "i", "--root", "s3://b/r"]
    assert compile_main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")

"""Values of the command line in the place of a recipe's."""

import pytest

from darkroom.recipe import ConfigError, load_recipe
from darkroom.tests.workspace import Workspace


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("overridden"), per_class=1).write_recipe()


def test_values_are_read_as_the_fields_want_them(recipe):
    changed = load_recipe(
        recipe,
        [
            "trainer.seed=7",
            "data.split_salt=12",
            "name=007",
            "evaluation.slices=[label, width]",
            "trainer.augmentation.rotation=2.5",
            "evaluation.thresholds.accuracy.min=0.25",
        ],
    )
    assert (changed.trainer.seed, changed.data.split_salt, changed.name) == (7, "12", "007")
    assert changed.evaluation.slices == ("label", "width")
    assert changed.trainer.augmentation.rotation == 2.5
    assert changed.evaluation.thresholds["accuracy"].min == 0.25


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("trainer.seed", "--set: 'trainer.seed' gives no value"),
        ("trainer.sed=1", "trainer.sed: unknown key; did you mean 'seed'?"),
        ("name.first=1", "--set: 'name.first' is no field; name is no section"),
        ("trainer.seed=[1", "trainer.seed: '[1' is no YAML"),
        ("trainer.seed=-1", "trainer.seed: -1 does not do"),
    ],
)
def test_what_does_not_do_is_refused(recipe, assignment, said):
    with pytest.raises(ConfigError) as refused:
        load_recipe(recipe, [assignment])
    assert str(refused.value).startswith(said)


def test_a_refusal_says_its_line_in_the_file(recipe):
    text = recipe.read_text()
    number = text.splitlines().index("trainer:") + 2
    recipe.with_name("odd.yaml").write_text(text.replace("trainer:\n", "trainer:\n  sed: 1\n"))
    with pytest.raises(ConfigError) as refused:
        load_recipe(recipe.with_name("odd.yaml"))
    assert str(refused.value) == f"trainer.sed: unknown key; did you mean 'seed'? (line {number})"


def test_a_section_that_lacks_a_field_is_the_line(recipe):
    recipe.with_name("odd.yaml").write_text(
        "name: a\n\ndata: {}\nevaluation: {}\npush: {destination: m}\n"
    )
    with pytest.raises(ConfigError) as refused:
        load_recipe(recipe.with_name("odd.yaml"), ["trainer.seed=-1"])
    lines = str(refused.value).splitlines()
    assert "data.path: is missing; add it to the recipe (line 3)" in lines
    assert [line for line in lines if line.startswith("trainer.seed: ") and "line" not in line]


def test_the_users_folder_is_found_in_paths(recipe, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    changed = load_recipe(recipe, ["data.path=~/photos", "push.destination=~/m", "runs_folder=~/r"])
    assert str(changed.data.path) == "/home/me/photos"
    assert (changed.push.destination, str(changed.runs_folder)) == ("/home/me/m", "/home/me/r")
    assert str(load_recipe(recipe, ["data.path=s3://a/~b"]).data.path) == "s3://a/~b"


def test_another_form_of_recipes_is_refused(recipe):
    for version, words in (("2", "a newer Darkroom may"), ("0", r"docs/upgrading\.md says")):
        with pytest.raises(ConfigError, match=rf"^version: {version} is not 1, the form.*{words}"):
            load_recipe(recipe, [f"version={version}"])

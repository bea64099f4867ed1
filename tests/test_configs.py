"""The recipes that the project ships."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from darkroom.recipe import ConfigError, Recipe, load_recipe, parse_recipe

CLUSTER = "digits-kubeflow.yaml"
RECIPES = sorted((Path(__file__).resolve().parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_valid_and_say_their_command(path):
    recipe = load_recipe(path)
    assert re.search(rf"(darkroom run|--config) configs/{path.name}\b", path.read_text())
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_the_digits_on_kubeflow_differ_in_places_only():
    here, there = (load_recipe(RECIPES[0].with_name(n)) for n in ("digits.yaml", CLUSTER))
    places = {
        "data": there.data.model_copy(update={"path": here.data.path}),
        "push": there.push.model_copy(update={"destination": here.push.destination}),
        "kubeflow": here.kubeflow,
    }
    assert there.model_copy(update=places) == here


def test_a_name_that_does_not_do_comes_with_one_that_does():
    with pytest.raises(ConfigError, match=r"'My_Photos' does not do: .*, such as 'my-photos'"):
        load_recipe(RECIPES[0], ["name=My_Photos"])


def test_recipes_cannot_be_changed_once_made():
    recipe = load_recipe(RECIPES[0])
    for section in (recipe, recipe.data, recipe.trainer, recipe.evaluation, recipe.push):
        assert isinstance(section, BaseModel)
        with pytest.raises(ValueError, match="frozen"):
            setattr(section, next(iter(type(section).model_fields)), None)


def test_every_fault_gets_a_line_of_its_own():
    content = yaml.safe_load(RECIPES[0].read_text())
    content["trainer"]["batch_size"] = 0
    content["data"]["formats"] = "csv"
    del content["push"]
    with pytest.raises(ConfigError) as caught:
        parse_recipe(content)
    lines = sorted(str(caught.value).splitlines())
    assert [line.split(":")[0] for line in lines] == ["data.formats", "push", "trainer.batch_size"]

import pytest

from darkroom.kubeflow.parameters import list_parameters, override_recipe, run_arguments
from darkroom.kubeflow.values import has_place, put_values
from darkroom.recipe import ConfigError
from darkroom.recipe.kubeflow import DEFAULT_PARAMETERS
from darkroom.tests.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("parameters"), per_class=1)


def with_parameters(workspace, *fields):
    return workspace.recipe(kubeflow={"parameters": list(fields)})


def test_types_defaults_and_descriptions_are_the_recipes(workspace):
    recipe = with_parameters(
        workspace,
        "trainer.seed",
        "trainer.dropout",
        "trainer.freeze_batch_norm",
        "evaluation.slices",
        "evaluation.thresholds.accuracy.min",
        "trainer.augmentation",
    )
    found = {parameter.field: parameter for parameter in list_parameters(recipe)}
    kinds = [parameter.kind for parameter in found.values()]
    assert kinds == [
        "NUMBER_INTEGER",
        "NUMBER_DOUBLE",
        "BOOLEAN",
        "LIST",
        "NUMBER_DOUBLE",
        "STRUCT",
    ]
    assert found["trainer.seed"].name == "trainer_seed"
    assert found["trainer.dropout"].description == (
        "Fraction of the embedding dropped in training."
    )
    assert found["evaluation.thresholds.accuracy.min"].description == "Smallest value allowed."
    assert found["evaluation.thresholds.accuracy.min"].default == 0.5


def test_every_default_parameter_is_one_of_any_recipe(workspace):
    assert list(run_arguments(workspace.recipe())) == [
        field.replace(".", "_") for field in DEFAULT_PARAMETERS
    ]


def test_values_are_read_as_yaml_unless_the_field_holds_text(workspace):
    recipe = with_parameters(workspace, "trainer.seed", "data.split_salt", "evaluation.slices")
    changed = override_recipe(
        recipe, {"trainer.seed": "7", "data.split_salt": "7", "evaluation.slices": "[label]"}
    )
    assert changed.trainer.seed == 7
    assert changed.data.split_salt == "7"
    assert changed.evaluation.slices == ("label",)
    assert recipe.trainer.seed != 7


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("trainer.seed", "-3", "trainer.seed: -3 does not do"),
        ("trainer.seed", "many", "trainer.seed: 'many' does not do"),
        ("trainer.seed", "[", "trainer.seed: '\\[' is no YAML"),
        ("trainer.sead", "3", "trainer.sead: is no parameter .* use one of trainer.seed"),
    ],
)
def test_a_value_that_does_not_do_is_refused_by_name(workspace, field, value, words):
    with pytest.raises(ConfigError, match=words):
        override_recipe(with_parameters(workspace, "trainer.seed"), {field: value})


def test_places_are_those_of_the_section_and_of_what_is_below(workspace):
    (parameter,) = list_parameters(with_parameters(workspace, "transform.image_height"))
    assert parameter.find_places("Trainer") == [("custom_config", "transform", "image_height")]
    assert parameter.find_places("RunReport") == [("recipe", "transform", "image_height")]
    assert parameter.find_places("Pusher") == []


def test_values_are_put_into_json_and_beside_it():
    properties = {"config": '{"path": "a", "deep": {"er": 1}}', "plain": "a", "list": "[1]"}
    put_values(properties, [("config", "path"), ("plain",)], "b")
    put_values(properties, [("config", "deep", "er")], 2)
    put_values(properties, [("list",)], ["x"])
    assert properties == {
        "config": '{"path": "b", "deep": {"er": 2}}',
        "plain": "b",
        "list": '["x"]',
    }


def test_a_place_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        put_values({"config": "{}"}, [("config", "path")], "b")
    assert not has_place({"config": "{}"}, ("config", "path"))
    assert not has_place({}, ("config",))
    assert has_place({"config": '{"a": {"b": null}}'}, ("config", "a", "b"))

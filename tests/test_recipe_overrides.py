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

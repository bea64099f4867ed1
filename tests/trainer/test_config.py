import pytest
from pydantic import ValidationError

from darkroom.trainer.augmentation.config import AugmentationConfig
from darkroom.trainer.config import TrainerConfig

LETTERS = {"backbone": "mobilenet_v2", "alpha": 0.35, "weights": "letters"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"backbone": "resnet51"}, ["backbone", "'resnet51'", "mobilenet_v2", "resnet50"]),
        ({"weights": "imagnet"}, ["weights", "'imagnet'", "none", ".weights.h5"]),
        ({"weights": "a/model.keras"}, ["weights", "a/model.keras", ".weights.h5"]),
        ({**LETTERS, "alpha": 0.5}, ["letters", "alpha 0.5", "0.35"]),
        ({**LETTERS, "backbone": "mobilenet"}, ["letters", "mobilenet ", "mobilenet_v2"]),
        ({"backbone": "resnet50", "alpha": 0.5}, ["resnet50", "alpha 0.5", "set alpha to 1"]),
        ({"alpha": 0.4}, ["imagenet", "alpha 0.4", "0.35, 0.5"]),
        ({"head_epochs": 0, "fine_tune_epochs": 0}, ["head_epochs 0", "1 or more"]),
        ({"head": "linear"}, ["head", "linear", "softmax"]),
        ({"batch_size": 0}, ["batch_size", "0", "greater than or equal to 1"]),
        ({"dropout": 1.0}, ["dropout", "less than 1"]),
        ({"fine_tune_fraction": 1.5}, ["fine_tune_fraction", "1.5"]),
        ({"early_stopping_patience": 0}, ["early_stopping_patience", "0"]),
        ({"learning_rate": 0.1}, ["learning_rate", "not permitted"]),
        ({"augmentation": {"rotate": 3}}, ["augmentation.rotate", "not permitted"]),
        ({"augmentation": {"zoom": 1.0}}, ["augmentation.zoom", "0.9"]),
        ({"augmentation": {"translation": -0.1}}, ["augmentation.translation", "-0.1"]),
    ],
)
def test_refusal_names_field_value_and_remedy(fields, expected):
    with pytest.raises(ValidationError) as error:
        TrainerConfig(**fields)
    assert error.value.error_count() == 1
    for part in expected:
        assert part in str(error.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        LETTERS,
        {"weights": "none", "alpha": 0.4},
        {"weights": "weights/mine.weights.h5", "alpha": 0.4},
        {"backbone": "resnet50"},
        {"early_stopping_patience": None},
    ],
)
def test_what_fits_is_accepted_and_survives_a_round_trip(fields):
    config = TrainerConfig(**fields)
    assert TrainerConfig(**config.model_dump(mode="json")) == config


def test_configs_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        TrainerConfig().seed = 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rotation", 5.0),
        ("translation", 0.1),
        ("zoom", 0.1),
        ("horizontal_flip", True),
        ("brightness", 0.1),
        ("contrast", 0.1),
    ],
)
def test_augmentation_knows_what_is_on(field, value):
    config = AugmentationConfig(**{field: value})
    (op,) = [op for op in config.ops if op.limit]
    assert type(op).__name__ == field.title().replace("_", "")
    assert not config.is_identity
    assert AugmentationConfig().is_identity

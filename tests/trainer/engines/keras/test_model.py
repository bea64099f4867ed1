import keras
import numpy as np
import pytest

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras.model import BACKBONE, EMBEDDING, build_backbone, build_model
from darkroom.trainer.errors import TrainerError

LETTERS = TrainerConfig(backbone="mobilenet_v2", alpha=0.35, weights="letters")


def images(count: int = 3, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "fields",
    [
        {"backbone": "mobilenet_v2", "alpha": 0.35, "weights": "letters"},
        {"backbone": "mobilenet_v3_small", "weights": "none"},
        {"backbone": "resnet50", "weights": "none"},
    ],
)
def test_uint8_in_embedding_and_probabilities_out(fields):
    model = build_model(TrainerConfig(**fields), classes=4, height=32, width=32)
    assert (model.input.dtype, model.input_shape) == ("uint8", (None, 32, 32, 3))
    embedding_model = keras.Model(model.inputs, [model.output, model.get_layer(EMBEDDING).output])
    probabilities, embedding = embedding_model(images(), training=False)
    assert probabilities.shape == (3, 4)
    assert probabilities.dtype == embedding.dtype == "float32"
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1.0, rtol=1e-5)
    assert embedding.shape == (3, model.get_layer(BACKBONE).output_shape[-1])
    assert np.std(embedding, axis=0).max() > 0


def test_sigmoid_head_has_one_output_for_two_classes():
    config = TrainerConfig(backbone="mobilenet_v2", alpha=0.35, weights="none", head="sigmoid")
    probabilities = build_model(config, classes=2, height=32, width=32)(images())
    assert probabilities.shape == (3, 1)
    assert np.all((np.asarray(probabilities) > 0) & (np.asarray(probabilities) < 1))
    with pytest.raises(TrainerError, match="2 classes and the data has 3; set head to softmax"):
        build_model(config, classes=3, height=32, width=32)


def test_one_class_is_refused():
    with pytest.raises(TrainerError, match="the data has 1 class; at least 2"):
        build_model(LETTERS, classes=1, height=32, width=32)


def test_seed_fixes_random_weights():
    def first_weights(seed: int) -> np.ndarray:
        keras.utils.set_random_seed(seed)
        return build_backbone("mobilenet_v2", 32, 32, 0.35).get_weights()[0]

    np.testing.assert_array_equal(first_weights(1), first_weights(1))
    assert np.any(first_weights(1) != first_weights(2))


def test_batch_norm_momentum_is_the_configured_one():
    model = build_model(LETTERS, classes=2, height=32, width=32)
    layers = model.get_layer(BACKBONE).layers
    momenta = {layer.momentum for layer in layers if hasattr(layer, "momentum")}
    assert momenta == {0.9}

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from darkroom.trainer.config import TrainerConfig
from darkroom.trainer.engines.keras import network as network_module
from darkroom.trainer.engines.keras.model import EMBEDDING, build_model
from darkroom.trainer.engines.keras.network import create_network

SETTINGS: dict[str, Any] = {"backbone": "mobilenet_v2", "alpha": 0.35, "weights": "letters"}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def model_of(classes: int = 4, head: str = "softmax") -> keras.Model:
    return build_model(TrainerConfig(**{**SETTINGS, "head": head}), classes, 32, 32)


def find_variables(network) -> list[str]:
    function = tf.function(network, input_signature=[tf.TensorSpec((None, 32, 32, 3), tf.uint8)])
    operations = function.get_concrete_function().graph.get_operations()
    return [operation.name for operation in operations if operation.type == "ReadVariableOp"]


@pytest.mark.parametrize("limit", [0, network_module.MAX_CONSTANT_BYTES])
def test_network_answers_what_the_model_and_its_embedding_layer_do(limit, monkeypatch):
    monkeypatch.setattr(network_module, "MAX_CONSTANT_BYTES", limit)
    model = model_of()
    probabilities, embedding = create_network(model)(IMAGES)
    np.testing.assert_allclose(probabilities, model(IMAGES, training=False), atol=1e-6)
    described = keras.Model(model.inputs, model.get_layer(EMBEDDING).output)
    np.testing.assert_allclose(embedding, described(IMAGES, training=False), atol=1e-5)


def test_weights_are_constants_unless_too_large_for_a_graph(monkeypatch):
    assert not find_variables(create_network(model_of()))
    monkeypatch.setattr(network_module, "MAX_CONSTANT_BYTES", 0)
    network = create_network(model_of())
    assert find_variables(lambda images: network(images))


def test_constants_are_the_weights_of_then():
    model = model_of()
    network = create_network(model)
    before = network(IMAGES)[0].numpy()
    model.layers[-1].set_weights([2 * weight + 1 for weight in model.layers[-1].get_weights()])
    np.testing.assert_array_equal(network(IMAGES)[0], before)


def test_a_sigmoid_head_becomes_two_classes():
    model = model_of(2, "sigmoid")
    probabilities, _ = create_network(model)(IMAGES)
    np.testing.assert_allclose(probabilities[:, 1:], model(IMAGES, training=False), atol=1e-6)
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1.0, atol=1e-6)

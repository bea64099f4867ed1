import inspect
import subprocess
import sys
from importlib import import_module

import keras
import numpy as np
import pytest

from darkroom.trainer.backbones import BACKBONES

COMMON = {"include_top", "weights", "input_shape", "name"}


@pytest.mark.parametrize("name", BACKBONES)
def test_constructor_takes_what_the_table_says(name):
    entry = BACKBONES[name]
    constructor = getattr(import_module(entry.library), entry.constructor)
    parameters = set(inspect.signature(constructor).parameters)
    assert parameters >= COMMON
    assert ("alpha" in parameters) == bool(entry.imagenet_alphas)


@pytest.mark.parametrize("name", BACKBONES)
def test_preprocessing_in_the_graph_is_that_of_the_library(name):
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype(np.float32)
    entry = BACKBONES[name]
    module = getattr(import_module(entry.library), entry.module)
    expected = module.preprocess_input(images.copy())
    inputs = keras.Input((4, 4, 3))
    in_graph = keras.Model(inputs, keras.ops.multiply(entry.preprocess(inputs), 1.0))
    np.testing.assert_allclose(in_graph(images), expected, rtol=1e-5, atol=1e-4)


def test_checking_a_recipe_does_not_import_keras():
    program = (
        "import sys, darkroom.trainer.config;"
        "print('keras' in sys.modules or 'tensorflow' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.strip() == "False", output.stderr

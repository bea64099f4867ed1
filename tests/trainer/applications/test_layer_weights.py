import keras
import numpy as np
import pytest

from darkroom.trainer.applications.layer_weights import set_layer_weights
from darkroom.trainer.errors import WeightsError

SIZE = 3


def tensors() -> dict[str, np.ndarray]:
    """Of the model below, in torch's layout."""
    random = np.random.default_rng(0)
    shapes = {
        "_blocks.0._conv.weight": (4, 2, SIZE, 1),
        "_blocks.0._wise.weight": (4, 1, 1, SIZE),
        "_fc.weight": (5, 4),
        "_fc.bias": (5,),
        **{f"_bn.{name}": (4,) for name in ("weight", "bias", "running_mean", "running_var")},
        "_bn.num_batches_tracked": (),
    }
    return {name: random.uniform(0.5, 1, shape) for name, shape in shapes.items()}


def model() -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 2))
    conv = keras.layers.Conv2D(4, (SIZE, 1), use_bias=False, name="blocks.0.conv")(inputs)
    wise = keras.layers.DepthwiseConv2D((1, SIZE), use_bias=False, name="blocks.0.wise")(conv)
    norm = keras.layers.BatchNormalization(epsilon=0.0, name="bn")(wise)
    outputs = keras.layers.Dense(5, name="fc")(norm)
    return keras.Model(inputs, outputs, name="small")


def test_the_model_computes_what_torchs_layout_means():
    given, small = tensors(), model()
    set_layer_weights(small, given)
    image = np.random.default_rng(1).normal(size=(SIZE, SIZE, 2))
    conv = np.einsum("oihx,hwi->wo", given["_blocks.0._conv.weight"], image)
    wise = np.einsum("oxyw,wo->o", given["_blocks.0._wise.weight"], conv)
    norm = (wise - given["_bn.running_mean"]) / np.sqrt(given["_bn.running_var"])
    norm = norm * given["_bn.weight"] + given["_bn.bias"]
    expected = given["_fc.weight"] @ norm + given["_fc.bias"]
    np.testing.assert_allclose(small(image[np.newaxis])[0, 0, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in tensors() if "tracked" not in name])
def test_a_missing_tensor_is_named(name):
    rest = {key: value for key, value in tensors().items() if key != name}
    with pytest.raises(WeightsError, match=f"^trainer.weights: {name} is missing$"):
        set_layer_weights(model(), rest)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("_blocks.0._conv.weight", (4, 2, 1, SIZE), r"\(4, 2, 3, 1\)"),
        ("_blocks.0._wise.weight", (1, 4, 1, SIZE), r"\(4, 1, 1, 3\)"),
        ("_fc.weight", (4, 5), r"\(5, 4\)"),
        ("_bn.bias", (), r"\(4,\)"),
    ],
)
def test_another_shape_is_refused(name, shape, expected):
    given = {**tensors(), name: np.zeros(shape)}
    with pytest.raises(WeightsError, match=rf"{name} has the shape \(.*\), not {expected}$"):
        set_layer_weights(model(), given)


def test_a_tensor_without_a_layer_is_refused_unless_it_is_said_to_be_unused():
    given = {**tensors(), "_top.weight": np.zeros(1), "_top.bias": np.zeros(1)}
    with pytest.raises(WeightsError, match=r"no layer of small is for _top\.weight, _top\.bias$"):
        set_layer_weights(model(), given)
    set_layer_weights(model(), given, unused=("_top.",))

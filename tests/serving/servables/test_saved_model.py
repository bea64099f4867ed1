"""SavedModels of every make, loaded and asked without a server."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from serving.model_server.errors import FailedPrecondition, NotFound
from serving.model_server.servables.saved_model import SavedModel
from tests.serving.saved_models import save_constant

X = {"x": np.array([1, 2], np.float32)}


@pytest.fixture
def path(tmp_path):
    save_constant(tmp_path / "1", 5)
    return tmp_path / "1"


def save_with_tf1(path, tags):
    """Half plus two, as TensorFlow 1 saved it: a graph, a session, tags."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        half = v1.get_variable("half", initializer=0.5, use_resource=False)
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.build_signature_def(
            {"x": v1.saved_model.build_tensor_info(x)},
            {"y": v1.saved_model.build_tensor_info(x * half + 2)},
            "tensorflow/serving/predict",
        )
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, tags, {"serving_default": signature})
        builder.save()


def test_model_made_by_tensorflow_2(path):
    model = SavedModel(path)
    assert model.run("serving_default", X)["value"].tolist() == [5, 5]
    assert model.signature_defs["serving_default"].inputs["x"].dtype == tf.float32


def test_model_made_by_tensorflow_1(tmp_path):
    save_with_tf1(tmp_path / "1", ["serve"])
    model = SavedModel(tmp_path / "1")
    assert model.run("serving_default", X)["y"].tolist() == [2.5, 3]


def test_model_as_text(path):
    saved_model = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    (path / "saved_model.pbtxt").write_text(text_format.MessageToString(saved_model))
    (path / "saved_model.pb").unlink()
    assert SavedModel(path).run("serving_default", X)["value"].tolist() == [5, 5]


def test_model_that_is_not_for_serving(tmp_path):
    save_with_tf1(tmp_path / "1", ["train"])
    with pytest.raises(NotFound, match=r"matching supplied tags: \{ serve \}"):
        SavedModel(tmp_path / "1")


def test_folder_without_a_model(tmp_path):
    with pytest.raises(NotFound, match=r"Could not find SavedModel .pb or .pbtxt"):
        SavedModel(tmp_path)


def test_signature_that_is_listed_but_cannot_be_called(path):
    model = SavedModel(path)
    assert "__saved_model_init_op" in model.signature_defs
    with pytest.raises(FailedPrecondition, match='key "__saved_model_init_op" not found'):
        model.run("__saved_model_init_op", {})


def test_string_scalar(tmp_path):
    class Greeter(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string, "name")])
        def greet(self, name):
            return {"text": tf.strings.join(["hello ", name])}

    greeter = Greeter()
    tf.saved_model.save(greeter, str(tmp_path), {"greet": greeter.greet})
    name = np.array(b"you\x00", object)
    (text,) = SavedModel(tmp_path).run("greet", {"name": name}).values()
    assert (text.shape, text.dtype, text[()]) == ((), object, b"hello you\x00")


def test_shape_that_contradicts_the_signature_is_the_models_affair(path):
    inputs = {"x": np.zeros((1, 2), np.float32)}
    assert SavedModel(path).run("serving_default", inputs)["value"].tolist() == [[5, 5]]

"""SavedModels of every make, loaded and asked without a server."""

import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.errors import Code, FailedPrecondition, NotFound, StatusError
from darkroom.serving.model_server.servables.saved_model import SavedModel, create_session_config
from darkroom.tests.serving.saved_models import save_constant, save_half_plus_three, save_zoo

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


@pytest.fixture(scope="module")
def half_plus_three(tmp_path_factory):
    path = tmp_path_factory.mktemp("half_plus_three") / "1"
    save_half_plus_three(path)
    return SavedModel(path)


def test_variables_of_both_kinds_of_a_model_made_by_tensorflow_1(half_plus_three):
    assert half_plus_three.run("serving_default", X)["y"].tolist() == [3.5, 4]


def test_table_is_filled_from_the_asset_when_the_model_is_loaded(half_plus_three):
    words = {"words": np.array([b"four", b"three"], object)}
    assert half_plus_three.run("words", words)["n"].tolist() == [-1, 0]


def test_signatures_have_the_methods_that_they_were_saved_with(half_plus_three):
    methods = {name: s.method_name for name, s in half_plus_three.signature_defs.items()}
    assert methods["tensorflow/serving/regress"] == "tensorflow/serving/regress"
    assert methods["tensorflow/serving/classify"] == "tensorflow/serving/classify"


def test_inputs_and_outputs_are_matched_by_name(tmp_path):
    class Swapped(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, n) for n in ("z", "a", "m")])
        def call(self, z, a, m):
            return {"y": z, "b": a, "n": m, "constant": tf.constant([1, 2])}

    module = Swapped()
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.call})
    inputs = {name: np.float32(value) for name, value in (("m", 1), ("z", 2), ("a", 3))}
    outputs = SavedModel(tmp_path).run("serving_default", inputs)
    assert {name: array.tolist() for name, array in outputs.items()} == {
        "y": 2, "b": 3, "n": 1, "constant": [1, 2],
    }  # fmt: skip
    assert all(isinstance(array, np.ndarray) for array in outputs.values())


def test_tags_choose_the_graph(tmp_path):
    save_with_tf1(tmp_path / "1", ["serve", "gpu"])
    with pytest.raises(NotFound, match=r"matching supplied tags: \{ serve \}"):
        SavedModel(tmp_path / "1")
    model = SavedModel(tmp_path / "1", {"gpu", "serve"})
    assert model.run("serving_default", X)["y"].tolist() == [2.5, 3]
    with pytest.raises(NotFound, match=r"matching supplied tags: \{ gpu tpu \}"):
        SavedModel(tmp_path / "1", {"tpu", "gpu"})


def save_with_sparse_tensors(path):
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], "x")
        sparse = v1.sparse_placeholder(tf.float32, [None, None], "sparse")
        info = v1.saved_model.build_tensor_info
        total = tf.sparse.reduce_sum(sparse, 1)
        signatures = {
            "takes": v1.saved_model.build_signature_def({"s": info(sparse)}, {"y": info(total)}),
            "gives": v1.saved_model.build_signature_def(
                {"x": info(x)}, {"s": info(tf.sparse.from_dense(x))}
            ),
            "serving_default": v1.saved_model.build_signature_def(
                {"x": info(x)}, {"y": info(tf.identity(x))}
            ),
        }
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def test_sparse_tensors_are_refused_as_tensorflow_serving_does(tmp_path):
    save_with_sparse_tensors(tmp_path / "1")
    model = SavedModel(tmp_path / "1")
    with pytest.raises(NotFound, match="FeedInputs: unable to find feed output"):
        model.run("takes", {"s": np.zeros((1, 1), np.float32)})
    with pytest.raises(NotFound, match="FetchOutputs node : not found"):
        model.run("gives", X)
    assert model.run("serving_default", X)["y"].tolist() == [1, 2]


def test_error_names_the_node_that_failed(tmp_path):
    save_zoo(tmp_path)
    inputs = {"text": np.array([b"x"], object)}
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\{\{node StringToNumber\}\}"):
        SavedModel(tmp_path).run("to_number", inputs)


def test_threads_have_their_own_answers(half_plus_three):
    wrong = []

    def ask(number):
        for _ in range(50):
            outputs = half_plus_three.run("serving_default", {"x": np.float32([number])})
            if outputs["y"].tolist() != [number / 2 + 3]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not wrong


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


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    path = tmp_path_factory.mktemp("zoo")
    save_zoo(path)
    return SavedModel(path)


ENDLESS = {"steps": np.array([10**12])}


def test_computing_stops_at_the_deadline(zoo):
    started = time.monotonic()
    with pytest.raises(tf.errors.DeadlineExceededError, match="Timed out"):
        zoo.run("spin", ENDLESS, started + 0.2)
    assert time.monotonic() - started < 10
    assert zoo.run("spin", {"steps": np.array([1])}, time.monotonic() + 60)["sum"].shape == (1,)


def test_nothing_is_computed_after_the_deadline(zoo):
    with pytest.raises(StatusError) as caught:
        zoo.run("spin", ENDLESS, time.monotonic())
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_options_of_the_session(path):
    config = config_pb2.ConfigProto(intra_op_parallelism_threads=3, inter_op_parallelism_threads=2)
    config.gpu_options.per_process_gpu_memory_fraction = 0.25
    config = SavedModel(path, session_config=config)._session._config
    assert config.intra_op_parallelism_threads == 3
    assert config.inter_op_parallelism_threads == 2
    assert config.gpu_options.per_process_gpu_memory_fraction == 0.25


@pytest.mark.parametrize(
    ("session", "intra", "inter", "expected"),
    [(0, 0, 0, (0, 0)), (4, 0, 0, (4, 4)), (4, 2, 0, (2, 0)), (0, 2, 3, (2, 3))],
)
def test_options_are_read_as_tensorflow_serving_does(session, intra, inter, expected):
    config = ServerConfig(
        model_base_path="/m",
        tensorflow_session_parallelism=session,
        tensorflow_intra_op_parallelism=intra,
        tensorflow_inter_op_parallelism=inter,
        per_process_gpu_memory_fraction=0.5,
    )
    read = create_session_config(config)
    assert (read.intra_op_parallelism_threads, read.inter_op_parallelism_threads) == expected
    assert read.gpu_options.per_process_gpu_memory_fraction == 0.5


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("saved_model.pb", b"not a model", "binary"),
        ("saved_model.pbtxt", b"not a model", "text"),
        ("saved_model.pbtxt", b"\xff\xfe", "text"),
    ],
)
def test_file_that_is_no_saved_model_is_lost_data(tmp_path, name, content, kind):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StatusError) as raised:
        SavedModel(tmp_path)
    assert (raised.value.code, raised.value.message) == (
        Code.DATA_LOSS, f"Can't parse {tmp_path / name} as {kind} proto"
    )  # fmt: skip

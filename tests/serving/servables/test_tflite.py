"""TFLite models, with signatures in their metadata and without."""

import threading

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from flatbuffers import flexbuffers
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema

from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError
from darkroom.serving.model_server.models.versions import TFLITE_FILE
from darkroom.serving.model_server.servables.tflite import METADATA_NAME, TfliteModel
from darkroom.tests.serving.saved_models import save_tflite

X, S, Y = "serving_default_x", "serving_default_s", "PartitionedCall"


def strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def create_inputs(rows):
    x = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    return {X: x, S: strings(*[b"%d\x00" % row for row in range(rows)])}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tflite") / "1"
    save_tflite(path)
    return path


@pytest.fixture(scope="module")
def model(path):
    return TfliteModel(path)


def test_model_without_signatures_has_one_of_its_tensors(model):
    (signature,) = model.signature_defs.values()
    assert list(model.signature_defs) == ["serving_default"]
    assert signature.method_name == "tensorflow/serving/predict"
    inputs = {name: (info.name, info.dtype) for name, info in signature.inputs.items()}
    assert inputs == {X: (f"{X}:0", 1), S: (f"{S}:0", 7)}
    assert [dim.size for dim in signature.inputs[X].tensor_shape.dim] == [1, 2]
    assert set(signature.outputs) == {S, Y}


@pytest.mark.parametrize("rows", [1, 3, 2, 1])
def test_model_takes_any_number_of_rows(model, rows):
    inputs = create_inputs(rows)
    outputs = model.run("serving_default", inputs)
    np.testing.assert_array_equal(outputs[Y], inputs[X] / 2 + 2)
    assert (outputs[S].tolist(), outputs[S].dtype) == (inputs[S].tolist(), object)


def test_answers_are_not_changed_by_later_requests(model):
    first = model.run("serving_default", create_inputs(2))[Y]
    before = first.copy()
    model.run("serving_default", {**create_inputs(2), X: np.full((2, 2), 9, np.float32)})
    np.testing.assert_array_equal(first, before)


def test_threads_have_their_own_answers(model):
    wrong = []

    def ask(number):
        for turn in range(50):
            x = np.full((1 + turn % 3, 2), number, np.float32)
            outputs = model.run("serving_default", {X: x, S: strings(*[b"%d" % number] * len(x))})
            if (outputs[Y] != number / 2 + 2).any() or set(outputs[S]) != {b"%d" % number}:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not wrong


def write_with_signatures(source, target, metadata):
    """Copies a model, with this content as its metadata of signatures."""
    table = schema.ModelT.InitFromObj(schema.Model.GetRootAs((source / TFLITE_FILE).read_bytes()))
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata, np.uint8)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(table.buffers)
    table.buffers.append(buffer)
    table.metadata = [*(table.metadata or []), entry]
    builder = flatbuffers.Builder(0)
    builder.Finish(table.Pack(builder), b"TFL3")
    target.mkdir(parents=True)
    (target / TFLITE_FILE).write_bytes(bytes(builder.Output()))


def create_signature(input_name=f"{X}:0", output_name="PartitionedCall:1"):
    signature = meta_graph_pb2.SignatureDef(method_name="tensorflow/serving/predict")
    signature.inputs["numbers"].name, signature.inputs["numbers"].dtype = input_name, 1
    signature.inputs["words"].name, signature.inputs["words"].dtype = f"{S}:0", 7
    signature.outputs["halves"].name, signature.outputs["halves"].dtype = output_name, 1
    return signature


def write_map(**signatures):
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, signature in signatures.items():
            builder.Key(name)
            builder.String(signature.SerializeToString().decode("latin-1"))
    return bytes(builder.Finish())


def test_signatures_in_the_metadata_are_used(path, tmp_path):
    metadata = write_map(first=create_signature(), second=create_signature())
    write_with_signatures(path, tmp_path / "1", metadata)
    model = TfliteModel(tmp_path / "1")
    assert sorted(model.signature_defs) == ["first", "second"]
    inputs = create_inputs(2)
    outputs = model.run("second", {"numbers": inputs[X], "words": inputs[S]})
    assert list(outputs) == ["halves"]
    np.testing.assert_array_equal(outputs["halves"], inputs[X] / 2 + 2)


def test_signature_of_a_tensor_that_is_not_there_fails_the_version(path, tmp_path):
    metadata = write_map(first=create_signature(output_name="nope:0"))
    write_with_signatures(path, tmp_path / "1", metadata)
    with pytest.raises(StatusError, match="Signature output halves references an unknown") as error:
        TfliteModel(tmp_path / "1")
    assert error.value.code is Code.INTERNAL


@pytest.mark.parametrize("metadata", [b"", b"no map", b"\xff" * 40])
def test_metadata_that_cannot_be_read_fails_the_version(path, tmp_path, metadata):
    write_with_signatures(path, tmp_path / "1", metadata)
    with pytest.raises(InvalidArgument, match="Invalid SignatureDefs found in TfLite model"):
        TfliteModel(tmp_path / "1")


@pytest.mark.parametrize("content", [b"", b"no flatbuffer at all"])
def test_file_of_another_format_fails_the_version(tmp_path, content):
    (tmp_path / TFLITE_FILE).write_bytes(content)
    with pytest.raises(InvalidArgument, match="Cannot build FlatBufferModel from buffer"):
        TfliteModel(tmp_path)


def test_shape_that_the_model_cannot_take_is_an_internal_error(tmp_path):
    class Fixed(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([2, 3], tf.float32, "x")])
        def call(self, x):
            return x + tf.constant([[1.0, 2.0, 3.0]])

    module = Fixed()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.call.get_concrete_function()], module
    )
    (tmp_path / TFLITE_FILE).write_bytes(converter.convert())
    model = TfliteModel(tmp_path)
    (name,) = model.signature_defs["serving_default"].inputs
    with pytest.raises(StatusError) as caught:
        model.run("serving_default", {name: np.zeros((2, 5), np.float32)})
    assert caught.value.code is Code.INTERNAL
    (output,) = model.run("serving_default", {name: np.ones((2, 3), np.float32)}).values()
    assert output.tolist() == [[2, 3, 4]] * 2

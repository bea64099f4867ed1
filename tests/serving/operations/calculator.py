"""A small SavedModel that answers every API, and requests for each."""

import json

import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

MODEL = "calculator"


class Calculator(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def double(self, x):
        return {"y": x * 2}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def to_number(self, text):
        return {"number": tf.strings.to_number(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress(self, inputs):
        return {"outputs": self.parse(inputs) * 2}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify(self, inputs):
        x = self.parse(inputs)[:, tf.newaxis]
        scores = tf.concat([x, -x], axis=1)
        return {"classes": tf.tile([["plus", "minus"]], [tf.size(inputs), 1]), "scores": scores}

    def parse(self, inputs):
        return tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]


def save_calculator(path):
    model = Calculator()
    signatures = {name: getattr(model, name) for name in ("to_number", "regress", "classify")}
    tf.saved_model.save(model, str(path), {"serving_default": model.double, **signatures})


def create_predict(*values, signature="", name="x"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tf.make_tensor_proto(list(values)))
    return request


def create_classify(*values):
    return _fill(classification_pb2.ClassificationRequest(), "classify", values)


def create_regress(*values):
    return _fill(regression_pb2.RegressionRequest(), "regress", values)


def _fill(request, signature, values):
    request.model_spec.name = MODEL
    request.model_spec.signature_name = signature
    _fill_input(request.input, values)
    return request


def _fill_input(input_, values):
    for value in values:
        example = input_.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(value)


def create_multi_inference(*values):
    request = inference_pb2.MultiInferenceRequest()
    for signature in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{signature}")
        task.model_spec.name = MODEL
        task.model_spec.signature_name = signature
    _fill_input(request.input, values)
    return request


def write_examples(signature, *values):
    """Returns the body of a REST request to classify or regress."""
    examples = [{"x": value} for value in values]
    return json.dumps({"signature_name": signature, "examples": examples})

"""The REST API, case by case, as TensorFlow Serving's reference and source have it.

Answers are compared as values, since the order of members in an object is left open. An error's
text is compared in full where TensorFlow Serving writes it itself, and in part (a regular
expression) where the words around it depend on the version of TensorFlow.
"""

import base64
import json
import re

import pytest

from darkroom.tests.serving.conformance.write_models import (
    HALF_PLUS_TWO,
    VERSIONS,
    ZOO,
    ZOO_VERSION,
)

NAN = float("nan")


def signature(name, **body):
    return {"signature_name": name, **body}


PREDICTIONS = {
    "rows of one input": (ZOO, signature("half_plus_two", instances=[1.0, 2.0, 5.0]),
                          {"predictions": [2.5, 3.0, 4.5]}),
    "rows of lists": (ZOO, signature("half_plus_two", instances=[[1.0, 2.0], [3.0, 4.0]]),
                      {"predictions": [[2.5, 3.0], [3.5, 4.0]]}),
    "rows by name": (ZOO, signature("half_plus_two", instances=[{"x": 1}, {"x": 3}]),
                     {"predictions": [2.5, 3.5]}),
    "rows of several inputs": (
        ZOO, signature("add", instances=[{"x": 1, "y": 0.5}, {"y": 1e-5, "x": 0}]),
        {"predictions": [1.5, pytest.approx(1e-05)]}),
    "columns of one input": (ZOO, signature("half_plus_two", inputs=[3.0, 4.0]),
                             {"outputs": [3.5, 4.0]}),
    "columns by name": (ZOO, signature("half_plus_two", inputs={"x": [[3.0], [4.0]]}),
                        {"outputs": [[3.5], [4.0]]}),
    "columns of several inputs": (
        ZOO, signature("add", inputs={"x": [1, 2], "y": [0.25, 0.125]}),
        {"outputs": [1.25, 2.125]}),
    "a scalar": (ZOO, signature("half_plus_two", inputs=8.0), {"outputs": 6.0}),
    "columns of unequal size, and every type of number": (
        HALF_PLUS_TWO, signature("kinds", inputs={"x": [1.0, -2.0], "n": 10}),
        {"outputs": {"double": [1.0, -2.0], "int": [11, 8], "long": [11, 8], "byte": [1, 254],
                     "positive": [True, False], "float": [1.0, -2.0]}}),
    "binary and text": (
        ZOO, signature("echo", instances=[{"b64": "aGk="}, "é"]),
        {"predictions": [{"data_bytes": {"b64": "aGk="}, "size": 2, "text": "hihi"},
                         {"data_bytes": {"b64": "w6k="}, "size": 2, "text": "éé"}]}),
    "binary by name": (
        ZOO, signature("echo", instances=[{"image_bytes": {"b64": "aGk="}}]),
        {"predictions": [{"data_bytes": {"b64": "aGk="}, "size": 2, "text": "hihi"}]}),
    "NaN and infinity": (
        ZOO, '{"signature_name": "half_plus_two", "instances": [NaN, Infinity, -Infinity]}',
        {"predictions": [pytest.approx(NAN, nan_ok=True), float("inf"), float("-inf")]}),
    "a model of TensorFlow 1": (HALF_PLUS_TWO, {"instances": [[1.0], [2.0]]},
                                {"predictions": [[2.5], [3.0]]}),
    "rows of another shape than an identity's": (
        HALF_PLUS_TWO, {"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.5, 3.0, 4.5]}),
    "rows of another shape than a default's": (
        HALF_PLUS_TWO, signature("defaulted", instances=[1.0, 2.0, 5.0]),
        {"predictions": [2.5, 3.0, 4.5]}),
    "an output that is not per row": (ZOO, signature("total", inputs=[1.0, 2.0]),
                                      {"outputs": 3.0}),
}  # fmt: skip


@pytest.mark.parametrize(("model", "body", "expected"), PREDICTIONS.values(), ids=PREDICTIONS)
def test_predict(http, model, body, expected):
    response = post(http, f"/v1/models/{model}:predict", body)
    assert response.status_code == 200, response.text
    assert response.json() == expected
    assert response.headers["content-type"] == "application/json"


RESULTS = {
    "classes and scores": (
        "classify", signature("classify", examples=[{"x": 2.0}, {"x": [4.0]}]),
        [[["high", 3.0], ["low", -3.0]], [["high", 4.0], ["low", -4.0]]]),
    "scores without classes": (
        "classify", signature("scores", examples=[{"x": 2.0}]), [[["", 3.0], ["", -3.0]]]),
    "regression": ("regress", signature("regress", examples=[{"x": 1.0}, {"x": 2.0}]), [2.5, 3.0]),
    "a feature of its own default": ("regress", signature("regress", examples=[{}]), [2.0]),
    "a feature that the model does not know": (
        "regress", signature("regress", examples=[{"x": 1.0, "n": [1, 2], "s": "é"}]), [2.5]),
    "a common context": (
        "regress", signature("regress", context={"x": 6.0}, examples=[{}, {}]), [5.0, 5.0]),
}  # fmt: skip


@pytest.mark.parametrize(("verb", "body", "expected"), RESULTS.values(), ids=RESULTS)
def test_classify_and_regress(http, verb, body, expected):
    response = post(http, f"/v1/models/{HALF_PLUS_TWO}:{verb}", body)
    assert response.status_code == 200, response.text
    assert response.json() == {"results": expected}


X = {"signature_name": "half_plus_two"}
CLASSIFY = f"{HALF_PLUS_TWO}:classify"
REGRESS = f"{HALF_PLUS_TWO}:regress"
IN_FULL = {
    "empty": (f"{ZOO}:predict", "", 400, "JSON Parse error: The document is empty"),
    "unknown signature": (f"{ZOO}:predict", signature("nope", instances=[1]), 400,
                          'Serving signature name: "nope" not found in signature def'),
    "neither key": (f"{ZOO}:predict", {**X, "foo": 1}, 400,
                    "Missing 'inputs' or 'instances' key"),
    "missing input": (f"{ZOO}:predict", signature("add", inputs={"x": [1]}), 400,
                      "Missing named input: y in 'inputs' object."),
    "rows of several inputs without names": (
        f"{ZOO}:predict", signature("add", instances=[1.0]), 400,
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per tensorinfo_map"),
    "a scalar among rows": (f"{ZOO}:predict", signature("total", instances=[1.0]), 400,
                            "Tensor name: total has no shape information "),
    "unknown model": ("nope:predict", {"instances": [1]}, 404,
                      "Servable not found for request: Latest(nope)"),
    "unknown version": (f"{ZOO}/versions/9:predict", {"instances": [1]}, 404,
                        f"Servable not found for request: Specific({ZOO}, 9)"),
    "version that is not served": (
        f"{VERSIONS}/versions/3:predict", {"instances": [1]}, 404,
        f"Servable not found for request: Specific({VERSIONS}, 3)"),
    "unknown label": (f"{VERSIONS}/labels/nope:predict", {"instances": [1]}, 400,
                      "Unrecognized servable version label: nope"),
    "unknown verb": (f"{ZOO}:explain", {"instances": [1]}, 400,
                     f"Malformed request: POST /v1/models/{ZOO}:explain"),
    "classify, unknown signature": (CLASSIFY, signature("nope", examples=[{"x": 1.0}]), 400,
                                    "No signature was found with the name: nope"),
    "regress, unknown signature": (REGRESS, signature("nope", examples=[{"x": 1.0}]), 400,
                                   "No signature was found with the name: nope"),
    "classify, unknown model": ("nope:classify", {"examples": [{"x": 1.0}]}, 404,
                                "Servable not found for request: Latest(nope)"),
    "a null in an example": (CLASSIFY, signature("classify", examples=[{"x": None}]), 400,
                             "Feature: x has element with unexpected JSON type: Null"),
    "a list of lists in an example": (
        CLASSIFY, signature("classify", examples=[{"x": [[1.0]]}]), 400,
        "Feature: x has element with unexpected JSON type: Array"),
    "two types in a feature": (
        REGRESS, signature("regress", examples=[{"x": [1.0, 2]}]), 400,
        "Unexpected element type in feature: x expecting type: float"),
    "an integer too large": (
        REGRESS, signature("regress", examples=[{"x": 2**64 - 1}]), 400,
        "Feature: x has uint64_t element. Only int64_t is supported."),
    "an example that is none": (
        CLASSIFY, signature("classify", examples=[1.0]), 400,
        "Example must be JSON object but got JSON Number"),
    "regress, a signature without regression's output": (
        REGRESS, signature("classify", examples=[{"x": 1.0}]), 400,
        "Expected one output Tensor."),
}  # fmt: skip
IN_PART = {
    "not JSON": (f"{ZOO}:predict", "instances = [1]", 400, "^JSON Parse error: .* at offset: 0$"),
    "a list": (f"{ZOO}:predict", "[1]", 400, "Is not object"),
    "both keys": (f"{ZOO}:predict", {"inputs": [], "instances": []}, 400,
                  "expecting only one of 'inputs' or 'instances' keys to exist"),
    "no rows": (f"{ZOO}:predict", {"instances": []}, 400, "No values in 'instances' array"),
    "another type": (f"{ZOO}:predict", {**X, "instances": ["x"]}, 400,
                     "Type: String is not of expected type: float"),
    "signature of another type": (f"{ZOO}:predict", {"signature_name": 5}, 400,
                                  "'signature_name' key must be a string value"),
    "rows of unequal size": (f"{ZOO}:predict", {**X, "instances": [[1.0], [1.0, 2.0]]}, 400,
                             r"Expecting tensor size: 1 but got: 2"),
    "outputs of unequal size": (f"{ZOO}:predict", signature("uneven", instances=[1.0, 2.0]), 400,
                                "has inconsistent batch size"),
    "no examples": (CLASSIFY, signature("classify"), 400,
                    "key 'examples' is expected and was not found"),
    "examples of another type": (REGRESS, signature("regress", examples=1), 400,
                                 "Expecting 'examples' value to be an list/array"),
    "an empty list of examples": (CLASSIFY, signature("classify", examples=[]), 400,
                                  "'examples' value is an empty array"),
    "classify, a signature for predict": (CLASSIFY, {"examples": [{"x": 1.0}]}, 400,
                                          "No classification inputs found in SignatureDef: "),
    "regress, a signature for predict": (REGRESS, {"examples": [{"x": 1.0}]}, 400,
                                         "No regression inputs found in SignatureDef: "),
    "the model refuses": (f"{ZOO}:predict", signature("to_number", instances=["x"]), 400,
                          "StringToNumberOp could not correctly convert string: x"),
    "a feature of another type": (REGRESS, signature("regress", examples=[{"x": "text"}]), 400,
                                  r"[Dd]ata types? don't match"),
    "a type that JSON has no form for": (
        f"{ZOO}:predict", signature("kinds", inputs={"x": [1.0], "n": 1}), 400,
        "^Failed to write JSON value for tensor type: half$"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "text"), IN_FULL.values(), ids=IN_FULL)
def test_refusal_with_its_text(http, path, body, status, text):
    response = post(http, f"/v1/models/{path}", body)
    assert (response.status_code, response.json()) == (status, {"error": text})


@pytest.mark.parametrize(("path", "body", "status", "text"), IN_PART.values(), ids=IN_PART)
def test_refusal_with_part_of_its_text(http, path, body, status, text):
    response = post(http, f"/v1/models/{path}", body)
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert re.search(text, response.json()["error"]), response.json()["error"]


@pytest.mark.parametrize(
    ("where", "value"),
    [("", 2), ("/versions/1", 1), ("/versions/2", 2), ("/labels/stable", 1), ("/labels/canary", 2)],
)
def test_version_or_label_in_the_path(http, where, value):
    response = post(http, f"/v1/models/{VERSIONS}{where}:predict", {"instances": [0.0]})
    assert response.json() == {"predictions": [value]}


def entry(version):
    return {
        "version": str(version),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }


@pytest.mark.parametrize(
    ("path", "versions"),
    [(ZOO, [ZOO_VERSION]), (VERSIONS, [2, 1]), (f"{VERSIONS}/versions/1", [1])],
)
def test_status(http, path, versions):
    response = http.get(f"/v1/models/{path}")
    assert response.status_code == 200
    assert response.json() == {"model_version_status": [entry(version) for version in versions]}


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("nope", 404, "Could not find any versions of model nope"),
        (f"{ZOO}/versions/9", 404, f"Could not find version 9 of model {ZOO}"),
        ("nope/metadata", 404, "Servable not found for request: Latest(nope)"),
        (f"{ZOO}/versions/9/metadata", 404,
         f"Servable not found for request: Specific({ZOO}, 9)"),
        (f"{VERSIONS}/labels/nope/metadata", 400, "Unrecognized servable version label: nope"),
        (f"{ZOO}/nope", 400, f"Malformed request: GET /v1/models/{ZOO}/nope"),
    ],
)  # fmt: skip
def test_status_and_metadata_of_what_is_not_there(http, path, status, text):
    response = http.get(f"/v1/models/{path}")
    assert (response.status_code, response.json()) == (status, {"error": text})


def test_metadata(http):
    document = http.get(f"/v1/models/{ZOO}/metadata").json()
    assert document["model_spec"] == {
        "name": ZOO, "signature_name": "", "version": str(ZOO_VERSION),
    }  # fmt: skip
    add = document["metadata"]["signature_def"]["signature_def"]["add"]
    assert add["method_name"] == "tensorflow/serving/predict"
    x = add["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert x["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert set(add["outputs"]) == {"z"}


@pytest.mark.parametrize(("where", "version"), [("/labels/stable", 1), ("/versions/2", 2), ("", 2)])
def test_metadata_of_a_version(http, where, version):
    document = http.get(f"/v1/models/{VERSIONS}{where}/metadata").json()
    assert document["model_spec"]["version"] == str(version)


def test_path_outside_the_api(http):
    assert http.get("/elsewhere").status_code == 404


def test_binary_value_that_is_not_base64(http):
    body = signature("echo", instances=[{"b64": "*"}])
    response = post(http, f"/v1/models/{ZOO}:predict", body)
    assert response.status_code == 400
    assert "base64" in response.json()["error"].lower()


def test_large_request(http):
    encoded = base64.b64encode(b"0123456789" * 500_000).decode()
    body = signature("echo", inputs=[{"b64": encoded}])
    outputs = post(http, f"/v1/models/{ZOO}:predict", body).json()["outputs"]
    assert (outputs["size"], outputs["data_bytes"]) == ([5_000_000], [{"b64": encoded}])


def post(http, path, body):
    return http.post(path, content=body if isinstance(body, str) else json.dumps(body))

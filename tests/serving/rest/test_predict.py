"""The REST API of a running server, answer by answer."""

import json

import numpy as np
import pytest

MODEL = "/v1/models/zoo"
PREDICT = f"{MODEL}:predict"


def post(http, body, path=PREDICT):
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return http.post(path, content=content)


def call(http, signature, **body):
    return post(http, {"signature_name": signature, **body})


ANSWERS = {
    "one input, one output, rows": (
        "half_plus_two",
        {"instances": [1.0, 2.0, 5.0]},
        '{\n    "predictions": [2.5, 3.0, 4.5]\n}',
    ),
    "rows of lists": (
        "half_plus_two",
        {"instances": [[1.0, 2.0], [3.0, 4.0]]},
        '{\n    "predictions": [[2.5, 3.0], [3.5, 4.0]]\n}',
    ),
    "one input, one output, columns": (
        "half_plus_two",
        {"inputs": [3.0, 4.0]},
        '{\n    "outputs": [3.5, 4.0]\n}',
    ),
    "one named input, columns": (
        "half_plus_two",
        {"inputs": {"x": [[3.0], [4.0]]}},
        '{\n    "outputs": [[3.5], [4.0]]\n}',
    ),
    "a scalar in, a scalar out": (
        "half_plus_two",
        {"inputs": 8.0},
        '{\n    "outputs": 6.0\n}',
    ),
    "no rows": (
        "half_plus_two",
        {"inputs": []},
        '{\n    "outputs": []\n}',
    ),
    "several inputs, rows": (
        "add",
        {"instances": [{"x": 1, "y": 0.5}, {"y": 1e-5, "x": 0}]},
        '{\n    "predictions": [1.5, 1e-05]\n}',
    ),
    "several inputs, columns": (
        "add",
        {"inputs": {"x": [1, 2], "y": [0.25, 0.125]}},
        '{\n    "outputs": [1.25, 2.125]\n}',
    ),
    "a total of the batch": (
        "total",
        {"inputs": [1.0, 2.0]},
        '{\n    "outputs": 3.0\n}',
    ),
    "base64 in, base64 and text out": (
        "echo",
        {"instances": [{"b64": "aGk="}]},
        '{\n    "predictions": [{"data_bytes": {"b64": "aGk="}, "size": 2, "text": "hihi"}]\n}',
    ),
    "text in": (
        "echo",
        {"instances": ["é"]},
        '{\n    "predictions": [{"data_bytes": {"b64": "w6k="}, "size": 2, "text": "éé"}]\n}',
    ),
}


@pytest.mark.parametrize(("signature", "body", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answer_to_the_letter(http, signature, body, expected):
    response = call(http, signature, **body)
    assert response.text == expected
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"


def test_outputs_of_every_kind(http):
    outputs = call(http, "numbers", inputs=[0.0, 3.0]).json()["outputs"]
    integers = ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64")
    expected = {kind: [0, 3] for kind in integers}
    assert outputs == {**expected, "float64": [0.0, 3.0], "bool": [False, True]}


def test_doubles_keep_all_their_digits(http):
    response = call(http, "numbers", instances=[1 / 3])
    assert f'"float64": {float(np.float32(1 / 3)):.17g},' in response.text


def test_nan_and_infinity_are_numbers(http):
    response = post(
        http, '{"signature_name": "half_plus_two", "instances": [NaN, Infinity, -Infinity]}'
    )
    assert response.text == '{\n    "predictions": [NaN, Infinity, -Infinity]\n}'


def test_signature_of_the_contract(http):
    response = post(http, {"instances": [{"b64": "aGVsbG8="}, {"b64": "YnJva2Vu"}]})
    good, broken = response.json()["predictions"]
    assert set(good) == {"label", "score", "probabilities", "classes", "valid"}
    assert good["valid"] and good["score"] == max(good["probabilities"])
    assert good["label"] == good["classes"][good["probabilities"].index(good["score"])]
    assert broken == {**broken, "valid": False, "label": "", "score": 0.0}


@pytest.mark.parametrize("path", [f"{MODEL}/versions/3:predict", "/V1/Models/zoo:predict"])
def test_paths_to_the_same_model(http, path):
    body = {"signature_name": "half_plus_two", "instances": [1.0]}
    assert post(http, body, path).json() == {"predictions": [2.5]}


# --- status and metadata ---------------------------------------------------------------------


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/3"])
def test_status(http, path):
    response = http.get(path)
    assert response.status_code == 200
    assert response.json() == {
        "model_version_status": [
            {
                "version": "3",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models/half", 404, "Could not find any versions of model half"),
        (f"{MODEL}/versions/7", 404, "Could not find version 7 of model zoo"),
        (f"{MODEL}/labels/canary", 400, "Unrecognized servable version label: canary"),
        ("/v1/models/half/metadata", 404, "Servable not found for request: Latest(half)"),
        (
            f"{MODEL}/versions/7/metadata",
            404,
            "Servable not found for request: Specific(zoo, 7)",
        ),
    ],
)
def test_status_of_what_is_not_there(http, path, status, message):
    response = http.get(path)
    assert (response.status_code, response.json()) == (status, {"error": message})


def test_metadata(http):
    document = http.get(f"{MODEL}/metadata").json()
    assert document["model_spec"] == {"name": "zoo", "signature_name": "", "version": "3"}
    signatures = document["metadata"]["signature_def"]["signature_def"]
    add = signatures["add"]
    assert add["method_name"] == "tensorflow/serving/predict"
    assert add["inputs"]["x"] == {
        "name": "add_x:0",
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
    }
    assert set(signatures["serving_default"]["outputs"]) == {
        "label", "score", "probabilities", "classes", "valid",
    }  # fmt: skip

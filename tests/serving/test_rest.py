"""The REST API of a running server, answer by answer."""

import json

import httpx
import pytest

MODEL = "/v1/models/zoo"
PREDICT = f"{MODEL}:predict"


@pytest.fixture(scope="module")
def http(rest_url):
    with httpx.Client(base_url=rest_url, trust_env=False, timeout=30) as client:
        yield client


def post(http, body, path=PREDICT):
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return http.post(path, content=content)


def call(http, signature, **body):
    return post(http, {"signature_name": signature, **body})


# --- answers ---------------------------------------------------------------------------------

ANSWERS = {
    "one input, one output, rows": (
        "half_plus_two",
        {"instances": [1.0, 2.0, 5.0]},
        '{\n    "predictions": [2.5, 3.0, 4.5\n    ]\n}',
    ),
    "rows of lists": (
        "half_plus_two",
        {"instances": [[1.0, 2.0], [3.0, 4.0]]},
        '{\n    "predictions": [[2.5, 3.0], [3.5, 4.0]\n    ]\n}',
    ),
    "one input, one output, columns": (
        "half_plus_two",
        {"inputs": [3.0, 4.0]},
        '{\n    "outputs": [\n        3.5,\n        4.0\n    ]\n}',
    ),
    "one named input, columns": (
        "half_plus_two",
        {"inputs": {"x": [[3.0], [4.0]]}},
        '{\n    "outputs": [\n        [\n            3.5\n        ],\n        [\n            4.0\n'
        "        ]\n    ]\n}",
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
        '{\n    "predictions": [1.5, 1e-05\n    ]\n}',
    ),
    "several inputs, columns": (
        "add",
        {"inputs": {"x": [1, 2], "y": [0.25, 0.125]}},
        '{\n    "outputs": [\n        1.25,\n        2.125\n    ]\n}',
    ),
    "a total of the batch": (
        "total",
        {"inputs": [1.0, 2.0]},
        '{\n    "outputs": 3.0\n}',
    ),
    "base64 in, base64 and text out": (
        "echo",
        {"instances": [{"b64": "aGk="}]},
        '{\n    "predictions": [\n        {\n            "data_bytes": {\n'
        '                "b64": "aGk="\n            },\n            "size": 2,\n'
        '            "text": "hihi"\n        }\n    ]\n}',
    ),
    "text in": (
        "echo",
        {"instances": ["é"]},
        '{\n    "predictions": [\n        {\n            "data_bytes": {\n'
        '                "b64": "w6k="\n            },\n            "size": 2,\n'
        '            "text": "éé"\n        }\n    ]\n}',
    ),
}


@pytest.mark.parametrize(("signature", "body", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answer_is_tensorflow_servings_to_the_letter(http, signature, body, expected):
    response = call(http, signature, **body)
    assert response.text == expected
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"


def test_outputs_of_every_kind(http):
    outputs = call(http, "kinds", inputs={"x": [1.0, -2.0], "n": 10}).json()["outputs"]
    assert outputs == {
        "double": [pytest.approx(1 / 3, abs=1e-16), pytest.approx(-2 / 3, abs=1e-16)],
        "half": [1.0, -2.0],
        "int": [[11, 12], [8, 9]],
        "uint8": [1, 254],
        "positive": [[True, True], [False, False]],
        "float": [[1.0, 2.0], [-2.0, -1.0]],
    }


def test_nan_and_infinity_are_numbers(http):
    response = post(
        http, '{"signature_name": "half_plus_two", "instances": [NaN, Infinity, -Infinity]}'
    )
    assert response.text == '{\n    "predictions": [NaN, Infinity, -Infinity\n    ]\n}'


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


# --- refusals --------------------------------------------------------------------------------

X = {"signature_name": "half_plus_two"}
REFUSALS = {
    "empty": (PREDICT, b"", 400, "JSON Parse error: The document is empty"),
    "not JSON": (PREDICT, "instances = [1]", 400, "JSON Parse error: Invalid value. at offset: 0"),
    "cut off": (
        PREDICT,
        '{"instances": [1',
        400,
        "JSON Parse error: Missing a comma or ] after an array element. at offset: 16",
    ),
    "a list": (PREDICT, "[1]", 400, "JSON Value: [\n    1\n] Is not object"),
    "signature of another type": (
        PREDICT,
        {"signature_name": 5},
        400,
        'JSON Value: {\n    "signature_name": 5\n} not formatted correctly. '
        "'signature_name' key must be a string value.",
    ),
    "unknown signature": (
        PREDICT,
        {"signature_name": "nope", "instances": [1]},
        400,
        'Serving signature name: "nope" not found in signature def',
    ),
    "neither key": (PREDICT, {**X, "foo": 1}, 400, "Missing 'inputs' or 'instances' key"),
    "both keys": (
        PREDICT,
        {"inputs": [], "instances": []},
        400,
        'JSON Value: {\n    "inputs": [],\n    "instances": []\n} Not formatted correctly '
        "expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    "no instances": (
        PREDICT,
        {"instances": []},
        400,
        "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
    ),
    "wrong type": (
        PREDICT,
        {**X, "instances": ["x"]},
        400,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "x" Type: String is not of expected type: float',
    ),
    "bad base64": (
        PREDICT,
        {"inputs": [{"b64": "!"}]},
        400,
        "Unable to base64 decode",
    ),
    "missing input": (
        PREDICT,
        {"signature_name": "add", "inputs": {"x": [1]}},
        400,
        "Missing named input: y in 'inputs' object.",
    ),
    "scalar output in rows": (
        PREDICT,
        {"signature_name": "total", "instances": [1.0]},
        400,
        "Tensor name: total has no shape information ",
    ),
    "uneven outputs in rows": (
        PREDICT,
        {"signature_name": "uneven", "instances": [1.0, 2.0]},
        400,
        "Tensor name: first has inconsistent batch size: 1 expecting: 2",
    ),
    "output without JSON form": (
        PREDICT,
        {"signature_name": "complicated", "instances": [1.0]},
        400,
        "Failed to write JSON value for tensor type: complex64",
    ),
    "the model refuses": (
        PREDICT,
        {"signature_name": "to_number", "instances": ["x"]},
        400,
        "StringToNumberOp could not correctly convert string: x\n\t [[{{node StringToNumber}}]]",
    ),
    "unknown model": (
        "/v1/models/half:predict",
        {"instances": [1]},
        404,
        "Servable not found for request: Latest(half)",
    ),
    "unknown version": (
        f"{MODEL}/versions/9:predict",
        {"instances": [1]},
        404,
        "Servable not found for request: Specific(zoo, 9)",
    ),
    "unknown label": (
        f"{MODEL}/labels/canary:predict",
        {"instances": [1]},
        400,
        "Unrecognized servable version label: canary",
    ),
    "version too large": (
        f"{MODEL}/versions/{2**64}:predict",
        {"instances": [1]},
        400,
        f"Failed to convert version: {2**64} to numeric.",
    ),
    "version not a number": (
        f"{MODEL}/versions/HELLO:predict",
        {"instances": [1]},
        400,
        f"Malformed request: POST {MODEL}/versions/HELLO:predict",
    ),
    "no verb": (MODEL, {"instances": [1]}, 400, f"Malformed request: POST {MODEL}"),
    "not built yet": (
        f"{MODEL}:classify",
        {"examples": [{}]},
        501,
        "classify is not supported by this server",
    ),
}


@pytest.mark.parametrize(("path", "body", "status", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_tensorflow_servings_code_and_words(http, path, body, status, message):
    response = post(http, body, path)
    assert response.json() == {"error": message}
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/v1/foo", "Malformed request: GET /v1/foo"),
        ("GET", PREDICT, f"Malformed request: GET {PREDICT}"),
        ("PUT", MODEL, f"Malformed request: PUT {MODEL}"),
        ("DELETE", MODEL, f"Malformed request: DELETE {MODEL}"),
        ("GET", "/v1/models", "Missing model name in request."),
    ],
)
def test_malformed_request(http, method, path, message):
    response = http.request(method, path)
    assert (response.status_code, response.json()) == (400, {"error": message})


@pytest.mark.parametrize("path", ["/", "/statuspage", "/v2/models/zoo"])
def test_path_outside_the_api(http, path):
    response = http.get(path)
    assert response.status_code == 404
    assert "<TITLE>404 Not Found</TITLE>" in response.text


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

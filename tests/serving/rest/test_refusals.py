"""What the REST API of a running server refuses: codes and words."""

import json
import re

import pytest

from darkroom.tests.serving.saved_models import without_function_names

MODEL = "/v1/models/zoo"
PREDICT = f"{MODEL}:predict"


def post(http, body, path=PREDICT):
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return http.post(path, content=content)


X = {"signature_name": "half_plus_two"}
REFUSALS = {
    "empty": (PREDICT, b"", 400, "JSON Parse error: The document is empty"),
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
    "output of a type without JSON form": (
        PREDICT,
        {"signature_name": "kinds", "inputs": {"x": [1.0], "n": 1}},
        400,
        "Failed to write JSON value for tensor type: half",
    ),
    "input of a type without JSON form": (
        PREDICT,
        {"signature_name": "brain", "instances": [1.0]},
        400,
        "Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: "
        "Conversion of JSON Value: 1.0 to type: bfloat16",
    ),
    "nested too deeply": (
        PREDICT,
        '{"instances": ' + "[" * 200 + "]" * 200 + "}",
        400,
        "JSON Parse error: The document is nested too deeply: more than 200 levels",
    ),
    "more dimensions than a tensor has": (
        PREDICT,
        '{"signature_name": "half_plus_two", "inputs": ' + "[" * 100 + "1" + "]" * 100 + "}",
        400,
        "JSON lists are nested 100 levels deep; a tensor has at most 32 dimensions",
    ),
}


@pytest.mark.parametrize(("path", "body", "status", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_tensorflow_servings_code_and_words(http, path, body, status, message):
    response = post(http, body, path)
    assert list(response.json()) == ["error"]
    assert without_function_names(response.json()["error"]) == message
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("body", "offset"), [("instances = [1]", 0), ('{"instances": [1', 16)])
def test_body_that_is_no_json(http, body, offset):
    response = post(http, body, PREDICT)
    assert response.status_code == 400
    error = response.json()["error"]
    assert re.fullmatch(rf"JSON Parse error: .* at offset: {offset}", error), error


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

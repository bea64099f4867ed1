"""TensorFlow Serving's REST reference, request by request: each example in it has its answer.

Where the reference shows an answer, the body is that answer; white space is this server's own.
"""

import json

import pytest

HALF_PLUS_THREE = "/v1/models/saved_model_half_plus_three"
EXAMPLES = "/v1/models/examples"
ZOO = "/v1/models/zoo"


def post(client, path, body):
    content = body if isinstance(body, str) else json.dumps(body)
    return client.post(path, content=content)


def test_status_of_the_reference(reference_http):
    response = reference_http.get(HALF_PLUS_THREE)
    assert response.text == (
        '{\n "model_version_status": [\n  {\n   "version": "123",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n'
    )
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")


REGRESS = {"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}
OBJECTS = {
    "signature_name": "classify_objects",
    "examples": [
        {"image": {"b64": "aW1hZ2UgYnl0ZXM="}, "caption": "seaside"},
        {"image": {"b64": "YXdlc29tZSBpbWFnZSBieXRlcw=="}, "caption": "mountains"},
    ],
}
ANSWERS = {
    "predict": (
        f"{HALF_PLUS_THREE}:predict",
        '{"instances": [1.0,2.0,5.0]}',
        '{\n    "predictions": [3.5, 4.0, 5.5]\n}',
    ),
    "predict by version": (
        f"{HALF_PLUS_THREE}/versions/123:predict",
        {"inputs": [1.0, 2.0, 5.0]},
        '{\n    "outputs": [3.5, 4.0, 5.5]\n}',
    ),
    "regress": (
        f"{HALF_PLUS_THREE}:regress",
        REGRESS,
        '{\n    "results": [3.5, 4.0]\n}',
    ),
    "regress, features as lists": (
        f"{HALF_PLUS_THREE}:regress",
        {**REGRESS, "examples": [{"x": [1.0]}, {"x": [2.0]}]},
        '{\n    "results": [3.5, 4.0]\n}',
    ),
    "regress, a feature in the context": (
        f"{HALF_PLUS_THREE}:regress",
        {**REGRESS, "context": {"x": 1.0}, "examples": [{}, {"y": 2.0}]},
        '{\n    "results": [3.5, 3.5]\n}',
    ),
    "regress, several values, NaN and Infinity": (
        f"{EXAMPLES}:regress",
        '{"signature_name": "regress_sum", "examples": [{"x": [1.0, -3.14]}, '
        '{"x": [NaN, 1.0]}, {"x": Infinity}, {}]}',
        '{\n    "results": [-2.14, NaN, Infinity, 0.0]\n}',
    ),
    "classify, binary and text": (
        f"{EXAMPLES}:classify",
        OBJECTS,
        '{\n    "results": [[["image", 2.75], ["caption", 1.75]], '
        '[["image", 4.75], ["caption", 2.25]]]\n}',
    ),
    "classify, scores without labels": (
        f"{HALF_PLUS_THREE}:classify",
        {"signature_name": "tensorflow/serving/classify", "examples": [{"x": 4.0}]},
        '{\n    "results": [[["", 5.0]]]\n}',
    ),
    "plain list of strings": (
        f"{ZOO}:predict",
        {"signature_name": "upper", "instances": ["foo", "bar", "baz"]},
        '{\n    "predictions": ["FOO", "BAR", "BAZ"]\n}',
    ),
    "tensors of shape [1, 2]": (
        f"{ZOO}:predict",
        {"signature_name": "half_plus_two", "instances": [[[1, 2]], [[3, 4]]]},
        '{\n    "predictions": [[[2.5, 3.0]], [[3.5, 4.0]]]\n}',
    ),
}
TAGGED = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]


@pytest.mark.parametrize(("path", "body", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answer_of_the_reference(reference_http, http, path, body, expected):
    response = post(http if path.startswith(ZOO) else reference_http, path, body)
    assert response.text == expected
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")


def test_rows_and_columns_of_the_reference_mean_the_same(http):
    columns = {key: [row[key] for row in TAGGED] for key in TAGGED[0]}
    rows = post(http, f"{ZOO}:predict", {"signature_name": "sensors", "instances": TAGGED})
    columnar = post(http, f"{ZOO}:predict", {"signature_name": "sensors", "inputs": columns})
    expected = [{"total": 15 + 10, "tag": "foo"}, {"total": 15 + 23, "tag": "bar"}]
    assert rows.json() == {"predictions": expected}
    assert columnar.json() == {"outputs": {"total": [25, 38], "tag": ["foo", "bar"]}}


def test_whole_number_that_a_float_cannot_hold_is_rounded(http):
    body = {"signature_name": "as_integer", "instances": [1435774380]}
    assert post(http, f"{ZOO}:predict", body).json() == {"predictions": [1435774336]}


def test_error_of_the_reference(reference_http):
    response = post(reference_http, "/v1/models/half:predict", {"instances": [1.0, 5.0]})
    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")
    assert response.json() == {"error": "Servable not found for request: Latest(half)"}


REFUSALS = {
    "no examples": (
        "regress",
        {},
        "JSON Value: {} When method is classify, key 'examples' is expected and was not found",
    ),
    "examples that are no list": (
        "classify",
        {"examples": 5},
        "JSON Value: {\n    \"examples\": 5\n} Expecting 'examples' value to be an list/array",
    ),
    "empty list": (
        "classify",
        {"examples": []},
        "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
    ),
    "example that is no object": (
        "classify",
        {"examples": [{}, 1]},
        "Example must be JSON object but got JSON Number",
    ),
    "context that is no object": (
        "classify",
        {"context": "x", "examples": [{}]},
        "Example must be JSON object but got JSON String",
    ),
    "mixed kinds": (
        "classify",
        {"examples": [{"x": [1.5, 1]}]},
        "Unexpected element type in feature: x expecting type: float",
    ),
    "null": (
        "classify",
        {"examples": [{"x": None}]},
        "Feature: x has element with unexpected JSON type: Null",
    ),
    "nested list": (
        "classify",
        {"examples": [{"x": [[1]]}]},
        "Feature: x has element with unexpected JSON type: Array",
    ),
    "object that is not binary": (
        "classify",
        {"examples": [{"x": {"b65": "aGk="}}]},
        "Feature: x has element with unexpected JSON type: Object",
    ),
    "broken base64": (
        "classify",
        {"examples": [{"x": {"b64": "?"}}]},
        "Unable to base64 decode",
    ),
    "number beyond int64": (
        "classify",
        {"examples": [{"x": 2**63}]},
        "Feature: x has uint64_t element. Only int64_t is supported.",
    ),
    "unknown signature": (
        "regress",
        {"signature_name": "nope", "examples": [{}]},
        "No signature was found with the name: nope",
    ),
    "signature of another form": (
        "regress",
        {"signature_name": "classify_objects", "examples": [{}]},
        "Expected one output Tensor.",
    ),
    "output of another size": (
        "regress",
        {"signature_name": "regress_total", "examples": [{}, {}]},
        "Input batch size did not match output batch size: 2 vs. 1",
    ),
}


@pytest.mark.parametrize(("verb", "body", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_has_tensorflow_servings_words(reference_http, verb, body, message):
    response = post(reference_http, f"{EXAMPLES}:{verb}", body)
    assert response.json() == {"error": message}
    assert response.status_code == 400


def test_features_that_the_model_cannot_read(reference_http):
    body = {"signature_name": "classify_objects", "examples": [{"image": 1}]}
    response = post(reference_http, f"{EXAMPLES}:classify", body)
    assert response.status_code == 400
    assert (
        "Data types don't match. Data type: int64 but expected type: string"
        in response.json()["error"]
    )


def test_asset_and_initializer_of_a_model_are_used(reference_http):
    body = {"signature_name": "words", "instances": ["three", "four"]}
    response = post(reference_http, f"{HALF_PLUS_THREE}:predict", body)
    assert response.json() == {"predictions": [0, -1]}

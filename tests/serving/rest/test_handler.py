"""The REST API without a server or TensorFlow: whatever comes in, a proper answer goes out."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.serving import protos
from darkroom.serving.model_server.core import ModelSpec
from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError, to_status_error
from darkroom.serving.model_server.models.loading import LoadPolicy
from darkroom.serving.model_server.models.settings import create_config
from darkroom.serving.model_server.rest.handler import RestHandler
from darkroom.tests.serving.models.fakes import create_core

PREDICT = "/v1/models/m:predict"
FLOAT, STRING = 1, 7


class Upper:
    """Takes a string and a float, gives the string in capitals."""

    def __init__(self, path):
        signature = protos.message_class("tensorflow.SignatureDef")()
        signature.inputs["text"].dtype = STRING
        signature.inputs["x"].dtype = FLOAT
        signature.outputs["upper"].dtype = STRING
        only_text = protos.message_class("tensorflow.SignatureDef")()
        only_text.inputs["text"].dtype = STRING
        only_text.outputs["upper"].dtype = STRING
        self.signature_defs = {"serving_default": signature, "only_text": only_text}

    async def run(self, signature_name, inputs):
        texts = [text.upper() for text in inputs["text"].ravel().tolist()]
        array = np.empty(len(texts), object)
        array[:] = texts
        return {"upper": array.reshape(inputs["text"].shape)}


class Failing(Upper):
    async def run(self, signature_name, inputs):
        raise RuntimeError("no more memory")


def create(tmp_path_factory, load):
    base_path = tmp_path_factory.mktemp("m")
    (base_path / "1").mkdir()
    (base_path / "1" / "saved_model.pb").touch()
    core = create_core(
        load,
        LoadPolicy(poll_wait_seconds=0),
        allow_version_labels_for_unavailable_models=True,
    )
    config = create_config("m", base_path)
    config.model_config_list.config[0].version_labels.update(stable=1, old=0)
    for manager in core.apply(config):
        manager.wait_for_first_look()
    return RestHandler(core)


def ask(handler, method, path, body):
    return asyncio.run(handler.handle(method, path, body))


@pytest.fixture(scope="module")
def handler(tmp_path_factory):
    return create(tmp_path_factory, Upper)


def test_labels(handler):
    body = b'{"signature_name": "only_text", "instances": ["a"]}'
    assert ask(handler, "POST", "/v1/models/m/labels/stable:predict", body).status == 200
    response = ask(handler, "POST", "/v1/models/m/labels/old:predict", body)
    assert json.loads(response.body) == {"error": "Servable not found for request: Specific(m, 0)"}
    assert ask(handler, "GET", "/v1/models/m/labels/stable", b"").status == 200


def test_version_and_label_exclude_each_other():
    with pytest.raises(InvalidArgument, match=r"Both model version \(1\) and .* \(stable\) cannot"):
        create_core().list_statuses(ModelSpec("m", 1, "stable"))


def test_name_in_the_path_is_decoded(handler):
    assert ask(handler, "GET", "/v1/models/%6d", b"").status == 200


def test_bytes_that_are_not_utf8_come_back_as_they_are(handler):
    body = b'{"signature_name": "only_text", "instances": ["\xff"]}'
    response = ask(handler, "POST", PREDICT, body)
    assert response.body == b'{\n    "predictions": ["\xff"]\n}'


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.just({"b64": "aGk="}) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["text", "x", "b64", "q"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
documents = st.fixed_dictionaries(
    {},
    optional={
        "instances": values,
        "inputs": values,
        "signature_name": st.sampled_from(["only_text", "", "nope", 5, None]),
    },
)


@given(documents)
def test_any_document_is_answered_or_refused(handler, document):
    response = ask(handler, "POST", PREDICT, json.dumps(document).encode())
    assert response.status in (200, 400)
    answer = json.loads(response.body.decode("utf-8", "surrogateescape"))
    keys = {"predictions", "outputs"} if response.status == 200 else {"error"}
    assert set(answer) <= keys and len(answer) == 1


@given(
    st.sampled_from(["GET", "POST", "PUT"]),
    st.lists(
        st.sampled_from(
            ["models", "m", "versions", "1", "9" * 30, "9" * 5000, "labels", "x", "metadata", "%"]
        ),
        max_size=6,
    ),
    st.sampled_from(["", ":predict", ":classify", ":x"]),
    st.binary(max_size=20),
)
def test_any_path_is_answered_or_refused(handler, method, parts, verb, body):
    response = ask(handler, method, "/v1/" + "/".join(parts) + verb, body)
    assert response.status in (200, 400, 404, 501)
    assert isinstance(json.loads(response.body), dict)


def test_model_that_fails_is_an_internal_error(tmp_path_factory):
    failing = create(tmp_path_factory, Failing)
    body = b'{"signature_name": "only_text", "instances": ["a"]}'
    response = ask(failing, "POST", PREDICT, body)
    assert response.status == 500
    assert json.loads(response.body) == {"error": "RuntimeError: no more memory"}


@pytest.mark.parametrize("code", Code)
def test_every_code_has_an_http_status(code):
    expected = {
        0: 200, 1: 499, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409,
        11: 400, 12: 501, 13: 500, 14: 503, 15: 500, 16: 401,
    }  # fmt: skip
    assert code.http_status == expected[code]
    assert to_status_error(StatusError(code, "x")).code is code

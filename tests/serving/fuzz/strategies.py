"""What strangers send: nearly valid, so that it gets far before it is wrong, or nothing like it."""

import base64
import json
import os
from urllib.parse import quote

from hypothesis import settings
from hypothesis import strategies as st

from darkroom.serving import protos
from darkroom.serving.protos.tensors import TYPES
from darkroom.tests.serving import saved_models

FACTOR = int(os.environ.get("DARKROOM_FUZZ_FACTOR", "1"))
"""How many times as many requests as usual."""
SIGNATURES = sorted(set(saved_models.SIGNATURES) - {"spin"})
"""All of the zoo but the one that takes as long as it is told to."""
INPUTS = ("x", "y", "n", "image_bytes", "text", "examples")
MODEL = "zoo"


def times(count):
    """Settings of a test that is to run so many examples."""
    return settings(max_examples=count * FACTOR)


bytes_ = st.binary(max_size=60)
texts = st.text(st.characters(codec=None), max_size=12)
numbers = st.one_of(
    st.integers(-5, 5),
    st.integers(),
    st.sampled_from([2**24 + 1, 2**31, -(2**31) - 1, 2**63, -(2**63) - 1, 2**64, 10**400]),
    st.floats(),
)
base64_objects = st.one_of(
    bytes_.map(lambda content: {"b64": base64.b64encode(content).decode()}),
    texts.map(lambda text: {"b64": text}),
    st.just({"b64": 1}),
    st.just({"b64": "", "more": 1}),
)
leaves = st.one_of(numbers, texts, st.booleans(), st.none(), base64_objects)
names = st.one_of(st.sampled_from(INPUTS), texts)


def rows(elements):
    return st.lists(elements, max_size=5)


values = st.recursive(
    leaves, lambda inner: rows(inner) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
tensors = st.one_of(rows(numbers), rows(base64_objects), rows(rows(numbers)), values)
objects = st.dictionaries(st.sampled_from(INPUTS), st.one_of(leaves, tensors), max_size=3)


@st.composite
def documents(draw):
    """A predict, classify or regress request that is right, or nearly so."""
    document = {}
    if draw(st.booleans()):
        document["signature_name"] = draw(st.one_of(st.sampled_from(SIGNATURES), values))
    for key in draw(st.sets(st.sampled_from(["instances", "inputs", "examples", "context"]))):
        document[key] = draw(st.one_of(tensors, objects, rows(objects)))
    return document


@st.composite
def deep(draw):
    """JSON that is nested more deeply than anybody means."""
    opening, closing = draw(st.sampled_from([("[", "]"), ('{"a":', "}"), ('[{"b64":', "}]")]))
    depth = draw(st.sampled_from([100, 199, 200, 201, 5_000, 100_000]))
    inner = opening * depth + "1" + closing * draw(st.sampled_from([0, depth - 1, depth]))
    return ('{"instances": ' + inner + "}").encode()


def _write(document, ascii_only):
    text = json.dumps(document, ensure_ascii=ascii_only)
    return text.encode("utf-8", "surrogatepass")


written = st.builds(_write, st.one_of(documents(), documents(), values), st.booleans())


@st.composite
def damaged(draw, whole):
    """Bytes of which some are lost, doubled or replaced."""
    content = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 8)))
        content[start:end] = draw(st.one_of(st.binary(max_size=8), st.just(content[start:end] * 2)))
    return bytes(content)


bodies = st.one_of(written, written, damaged(written), st.binary(max_size=200), deep())

_PATH_WORDS = (
    "v1", "v2", "models", MODEL, "versions", "3", "0", "-1", "9" * 30, "labels", "stable",
    "metadata", "..", "", "%2F", "%00", "%", "*",
)  # fmt: skip
_segments = st.one_of(
    st.sampled_from(_PATH_WORDS),
    texts.map(lambda text: quote(text, errors="surrogatepass")),
)
_verbs = st.sampled_from(["", ":predict", ":PREDICT", ":classify", ":regress", ":", ":x", ":%70"])


@st.composite
def paths(draw):
    """A path of the API, or one that looks like it."""
    if draw(st.booleans()):
        segments = ["v1", "models", MODEL, *draw(st.lists(_segments, max_size=2))]
    else:
        segments = draw(st.lists(_segments, max_size=7))
    query = draw(st.sampled_from(["", "?", "?a=b", "?%"]))
    return "/" + "/".join(segments) + draw(_verbs) + query


methods = st.sampled_from(
    ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"]
)
_HEADER_NAMES = (
    "Content-Encoding", "Content-Type", "Accept-Encoding", "Connection", "Upgrade", "Expect",
    "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers", "X-Anything",
    "Content-Length", "Transfer-Encoding", "Range", "Host", "Cookie",
)  # fmt: skip
_HEADER_WORDS = (
    "gzip", "identity", "deflate", "gzip, gzip", "chunked", "100-continue", "close", "keep-alive",
    "Upgrade", "websocket", "h2c", "application/json", "text/plain", "*/*", "0", "-1", "1e3",
    "99999999999999999999", "null", "https://example.com",
)  # fmt: skip
header_values = st.one_of(
    st.sampled_from(_HEADER_WORDS),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20),
    st.just("x" * 20_000),
)
headers = st.lists(st.tuples(st.sampled_from(_HEADER_NAMES), header_values), max_size=4)

dimensions = st.one_of(
    st.integers(0, 4), st.sampled_from([-1, -(2**63), 1000, 2**31, 2**33, 2**62, 2**63 - 1])
)
int32s = st.integers(-(2**31), 2**31 - 1)
_fields = {
    "tensor_content": bytes_,
    "float_val": rows(st.floats(width=32)),
    "double_val": rows(st.floats()),
    "int_val": rows(int32s),
    "string_val": rows(bytes_),
    "scomplex_val": rows(st.floats(width=32)),
    "dcomplex_val": rows(st.floats()),
    "int64_val": rows(st.integers(-(2**63), 2**63 - 1)),
    "bool_val": rows(st.booleans()),
    "half_val": rows(int32s),
    "uint32_val": rows(st.integers(0, 2**32 - 1)),
    "uint64_val": rows(st.integers(0, 2**64 - 1)),
}


@st.composite
def tensor_protos(draw):
    """A TensorProto of any type, shape and field, which seldom fit each other."""
    tensor = protos.message_class("tensorflow.TensorProto")()
    number = draw(st.one_of(st.sampled_from(sorted(TYPES)), st.integers(0, 130)))
    tensor.dtype = number
    shape = draw(st.lists(dimensions, max_size=3))
    for size in shape:
        tensor.tensor_shape.dim.add().size = size
    tensor.tensor_shape.unknown_rank = draw(st.sampled_from([False, False, False, True]))
    fields = set(_fields) if number not in TYPES else {TYPES[number].field, "tensor_content"}
    for field in draw(st.sets(st.sampled_from(sorted(fields)), max_size=2)):
        value = draw(_fields[field])
        if field == "tensor_content":
            tensor.tensor_content = value
        else:
            getattr(tensor, field).extend(value)
    return tensor


@st.composite
def model_specs(draw):
    """A ModelSpec, most often of the model that is there."""
    spec = protos.message_class("tensorflow.serving.ModelSpec")()
    spec.name = draw(st.sampled_from([MODEL, MODEL, MODEL, "", "nobody", "ä/\0"]))
    spec.signature_name = draw(st.sampled_from([*SIGNATURES, "", "nothing"]))
    version = draw(st.sampled_from([None, None, 3, 0, -1, 2**63 - 1]))
    if version is not None:
        spec.version.value = version
    elif draw(st.integers(0, 4)) == 0:
        spec.version_label = draw(st.sampled_from(["", "stable", "\0"]))
    return spec


@st.composite
def predict_requests(draw):
    """A serialized PredictRequest."""
    request = protos.message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.CopyFrom(draw(model_specs()))
    for name in draw(st.sets(st.sampled_from(INPUTS), max_size=3)):
        request.inputs[name].CopyFrom(draw(tensor_protos()))
    outputs = st.sampled_from(["z", "y", "", "label"])
    request.output_filter.extend(draw(st.lists(outputs, max_size=2)))
    return request.SerializeToString()


@st.composite
def features(draw):
    """A tf.train.Feature of any kind."""
    feature = protos.message_class("tensorflow.Feature")()
    kind = draw(st.sampled_from(["bytes_list", "float_list", "int64_list", ""]))
    if kind:
        elements = {
            "bytes_list": bytes_,
            "float_list": st.floats(width=32),
            "int64_list": st.integers(-(2**63), 2**63 - 1),
        }[kind]
        getattr(feature, kind).value.extend(draw(rows(elements)))
    return feature


@st.composite
def example_inputs(draw):
    """An Input of some examples, with or without a context."""
    message = protos.message_class("tensorflow.serving.Input")()
    kind = draw(st.sampled_from(["example_list", "example_list_with_context", ""]))
    if not kind:
        return message
    examples = getattr(message, kind)
    examples.SetInParent()
    for _ in range(draw(st.integers(0, 3))):
        example = examples.examples.add()
        for name in draw(st.sets(st.sampled_from(INPUTS), max_size=2)):
            example.features.feature[name].CopyFrom(draw(features()))
    if kind == "example_list_with_context" and draw(st.booleans()):
        examples.context.features.feature["x"].CopyFrom(draw(features()))
    return message


@st.composite
def example_requests(draw):
    """A serialized ClassificationRequest; RegressionRequest has the same fields."""
    request = protos.message_class("tensorflow.serving.ClassificationRequest")()
    request.model_spec.CopyFrom(draw(model_specs()))
    request.input.CopyFrom(draw(example_inputs()))
    return request.SerializeToString()


@st.composite
def multi_inference_requests(draw):
    """A serialized MultiInferenceRequest."""
    request = protos.message_class("tensorflow.serving.MultiInferenceRequest")()
    for _ in range(draw(st.integers(0, 3))):
        task = request.tasks.add()
        task.model_spec.CopyFrom(draw(model_specs()))
        task.method_name = draw(
            st.sampled_from(["", "tensorflow/serving/classify", "tensorflow/serving/regress"])
        )
    request.input.CopyFrom(draw(example_inputs()))
    return request.SerializeToString()


@st.composite
def metadata_requests(draw):
    """A serialized GetModelMetadataRequest."""
    request = protos.message_class("tensorflow.serving.GetModelMetadataRequest")()
    request.model_spec.CopyFrom(draw(model_specs()))
    request.metadata_field.extend(draw(st.lists(st.sampled_from(["signature_def", "", "\0"]))))
    return request.SerializeToString()


@st.composite
def status_requests(draw):
    """A serialized GetModelStatusRequest."""
    request = protos.message_class("tensorflow.serving.GetModelStatusRequest")()
    request.model_spec.CopyFrom(draw(model_specs()))
    return request.SerializeToString()


PREDICTION = "/tensorflow.serving.PredictionService/"
calls = st.one_of(
    *(
        st.tuples(st.just(method), st.one_of(requests, requests, damaged(requests), bytes_))
        for method, requests in (
            (protos.PREDICT, predict_requests()),
            (protos.PREDICT, predict_requests()),
            (PREDICTION + "Classify", example_requests()),
            (PREDICTION + "Regress", example_requests()),
            (PREDICTION + "MultiInference", multi_inference_requests()),
            (protos.GET_MODEL_METADATA, metadata_requests()),
            (protos.GET_MODEL_STATUS, status_requests()),
            (PREDICTION + "NoSuchMethod", predict_requests()),
        )
    )
)
"""Method and message; those that change the server's models are left out."""

"""Whatever a configuration says, it is taken or refused in words."""

from hypothesis import given
from hypothesis import strategies as st

from darkroom.serving import protos
from darkroom.serving.model_server.errors import Code, StatusError
from darkroom.serving.protos.text_files import TextFileError, parse_text
from darkroom.tests.serving.fuzz import strategies
from darkroom.tests.serving.fuzz.strategies import times
from darkroom.tests.serving.models.fakes import create_core

REFUSALS = (Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED)
CONFIG = "tensorflow.serving.ModelServerConfig"
TEXT = b"""
model_config_list { config {
  name: "a" base_path: "/a" model_platform: "tensorflow" version_labels { key: "b" value: 1 }
  model_version_policy { specific { versions: 1 } } logging_config { sampling_config {} } } }
"""
texts = st.sampled_from(["", "a", "a", "b", "a/b", "a:b", "/a", "\0", "../..", "s3://a", "ä" * 300])
numbers = st.sampled_from([0, 1, -1, 2**31, -(2**63), 2**63 - 1])


@st.composite
def configs(draw):
    """A ModelServerConfig of some models."""
    message = protos.message_class(CONFIG)()
    if draw(st.booleans()):
        message.model_config_list.SetInParent()
    for _ in range(draw(st.integers(0, 3))):
        config = message.model_config_list.config.add()
        config.name, config.base_path = draw(texts), draw(texts)
        config.model_platform = draw(st.sampled_from(["", "tensorflow", "tflite", "pytorch"]))
        config.model_type = draw(st.integers(0, 3))
        _draw_policy(draw, config.model_version_policy)
        for label in draw(st.sets(texts, max_size=2)):
            config.version_labels[label] = draw(numbers)
        _draw_logging(draw, config.logging_config)
    if draw(st.integers(0, 9)) == 0:
        message.custom_model_config.type_url = draw(texts)
    return message


def _draw_policy(draw, policy):
    kind = draw(st.sampled_from(["", "latest", "all", "specific"]))
    if kind == "latest":
        policy.latest.num_versions = draw(st.integers(0, 2**32 - 1))
    if kind == "all":
        policy.all.SetInParent()
    if kind == "specific":
        policy.specific.versions.extend(draw(st.lists(numbers, max_size=3)))


def _draw_logging(draw, logging):
    if draw(st.booleans()):
        logging.sampling_config.sampling_rate = draw(st.floats(width=32))
        logging.log_collector_config.type = draw(texts)
        logging.log_collector_config.filename_prefix = draw(texts)


@times(400)
@given(config=configs())
def test_any_configuration_is_taken_or_refused(config):
    try:
        create_core().check(config)
    except StatusError as error:
        assert error.code in REFUSALS
        assert error.message


@times(300)
@given(text=st.one_of(strategies.damaged(st.just(TEXT)), st.binary(max_size=100)))
def test_any_text_is_a_configuration_or_refused_in_one_line(text):
    try:
        parse_text(text.decode("utf-8", "replace"), "ModelServerConfig", "the file")
    except TextFileError as error:
        assert str(error).startswith("the file: Error parsing text-format tensorflow.serving.")
        assert "\n" not in str(error)

"""Following the file that says which models to serve."""

import time

import pytest

from darkroom.serving.model_server.errors import FailedPrecondition, StartError
from darkroom.serving.model_server.models.config_file import ConfigFileFollower, read_config_file
from darkroom.tests.serving.models.fakes import wait_until

ONE = 'model_config_list { config { name: "a" base_path: "/m/a" model_platform: "tensorflow" } }'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"model_config_list { config { nme: 'a' } }",
            "text-format tensorflow.serving.ModelServerConfig: 1:30: .*nme",
        ),
        (ONE[:-3].encode(), "ModelServerConfig: .*Expected"),
        (b"\xff\xfe", "is not a text file"),
        (None, "No such file"),
    ],
)
def test_file_that_is_no_configuration_is_named_with_the_place(tmp_path, content, message):
    path = tmp_path / "models.config"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartError, match=message) as caught:
        read_config_file(path)
    assert str(caught.value).startswith("--model_config_file: ") and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


class Applied(list):
    """Takes configurations and remembers the names of their models."""

    refusal = ""

    def __call__(self, config):
        if self.refusal:
            raise FailedPrecondition(self.refusal)
        self.append([model.name for model in config.model_config_list.config])


def test_trouble_is_told_once_and_its_end_too(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "models.config"
    applied = Applied()
    follower = ConfigFileFollower(path, 1, applied)
    follower.look()
    follower.look()
    assert len(caplog.messages) == 1 and "cannot read" in caplog.messages[0]
    path.write_text(ONE)
    follower.look()
    assert applied == [["a"]] and caplog.messages[1:] == [f"{path} is good again"]
    path.write_text(ONE[:40])
    follower.look()
    assert applied == [["a"]] and "the models stay as they are" in caplog.messages[2]
    path.write_text(ONE)
    applied.refusal = "label x of model a"
    follower.look()
    assert caplog.messages[3:] == [
        f"--model_config_file: {path}: label x of model a; the models stay as they are"
    ]
    # What was refused may be right later: it is tried again.
    applied.refusal = ""
    follower.look()
    assert applied == [["a"], ["a"]]


def test_file_is_looked_at_again_and_again_whatever_happens(tmp_path, caplog):
    path = tmp_path / "models.config"
    path.write_text(ONE)
    calls = []

    def fail(config):
        calls.append(config)
        raise RuntimeError("unforeseen")

    follower = ConfigFileFollower(path, 0.001, fail)
    follower.start()
    wait_until(lambda: len(calls) > 2)
    started = time.monotonic()
    follower.stop()
    assert time.monotonic() - started < 5
    count = len(calls)
    time.sleep(0.02)
    assert len(calls) == count and "unforeseen" in caplog.text
    ConfigFileFollower(path, 1, fail).stop()

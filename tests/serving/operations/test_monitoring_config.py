"""The monitoring file says whether and where metrics are shown, or is refused with one line."""

import pytest

from darkroom.serving.model_server.errors import StartError
from darkroom.serving.model_server.operations.monitoring_config import read_metrics_path


@pytest.fixture
def file(tmp_path):
    return tmp_path / "monitoring.config"


def test_no_file_shows_no_metrics():
    assert read_metrics_path(None) is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", None),
        ("prometheus_config {}", None),
        ("prometheus_config { enable: false path: '/m' }", None),
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
    ],
)
def test_metrics_are_shown_where_the_file_says(file, text, path):
    file.write_text(text)
    assert read_metrics_path(file) == path


@pytest.mark.parametrize("path", ["metrics", "/a b", "/a?b", "/a#b", "/\n", "/v1", "/V1/models/x"])
def test_path_that_cannot_be_asked_for_is_refused(file, path):
    file.write_text(f"prometheus_config {{ enable: true path: {path!r} }}")
    with pytest.raises(StartError) as refusal:
        read_metrics_path(file)
    message = str(refusal.value)
    assert "\n" not in message
    assert str(file) in message and repr(path) in message and "use '/monitoring" in message


@pytest.mark.parametrize(
    "text", ["prometheus { enable: true }", "prometheus_config { enable: maybe }", "{"]
)
def test_file_that_is_no_monitoring_config_is_refused(file, text):
    file.write_text(text)
    with pytest.raises(StartError, match=r"monitoring_config_file: .*MonitoringConfig") as refusal:
        read_metrics_path(file)
    assert "\n" not in str(refusal.value)


def test_file_that_cannot_be_read_is_refused(file):
    with pytest.raises(StartError, match="monitoring_config_file: cannot read"):
        read_metrics_path(file)

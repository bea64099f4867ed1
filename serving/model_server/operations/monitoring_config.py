"""Reading the file that says whether and where metrics are shown."""

import re
from pathlib import Path
from typing import Final

from darkroom.serving.model_server.errors import StartError
from darkroom.serving.protos.text_files import TextFileError, read_text_file

DEFAULT_PATH: Final = "/monitoring/prometheus/metrics"
"""As in TensorFlow Serving."""

_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


def read_metrics_path(file: Path | None) -> str | None:
    """Returns the URL path of the metrics in a `MonitoringConfig`; None shows none.

    Raises:
        StartError: The file cannot be read, is no such message, or its path is none.
    """
    if file is None:
        return None
    try:
        config = read_text_file(file, "MonitoringConfig").prometheus_config
    except TextFileError as error:
        raise StartError(f"monitoring_config_file: {error}") from None
    if not config.enable:
        return None
    path: str = config.path or DEFAULT_PATH
    if not _PATH.fullmatch(path):
        raise StartError(
            f"monitoring_config_file: {file} has prometheus_config.path {path!r}, which is no path "
            f"of a URL; use {DEFAULT_PATH!r}"
        )
    if f"{path.lower()}/".startswith("/v1/"):
        raise StartError(
            f"monitoring_config_file: {file} has prometheus_config.path {path!r}, which is the "
            f"API's; use {DEFAULT_PATH!r}"
        )
    return path

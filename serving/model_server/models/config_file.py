"""The file that says which models to serve, and following its changes."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from darkroom.serving.model_server.errors import StartError, StatusError
from darkroom.serving.model_server.failures import report_failure
from darkroom.serving.protos.text_files import TextFileError, read_text_file

logger = logging.getLogger(__name__)


def read_config_file(path: Path) -> Any:
    """Returns the `ModelServerConfig` message in a text file; StartError where there is none."""
    try:
        return read_text_file(path, "ModelServerConfig")
    except TextFileError as error:
        raise StartError(f"--model_config_file: {error}") from None


class ConfigFileFollower:
    """Reads a configuration file again and again, and has it followed.

    A file that is not there, half-written or refused is reported once, and what is served stays.
    As in TensorFlow Serving, the file is followed at each look, so that it prevails over a
    configuration that came by HandleReloadConfigRequest.

    `apply` follows a configuration, and raises `StatusError` where it is refused.
    """

    def __init__(
        self, path: Path, poll_wait_seconds: float, apply: Callable[[Any], object]
    ) -> None:
        self._path = path
        self._poll_wait_seconds = poll_wait_seconds
        self._apply = apply
        self._problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-config", daemon=True)

    def start(self) -> None:
        """Begins to follow the file, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more; returns once a look that is under way is over."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _follow(self) -> None:
        while not self._stopping.wait(self._poll_wait_seconds):
            try:
                self.look()
            except Exception as error:
                # Whatever happens in one look must not end the following of the file.
                report_failure(f"looking at {self._path} failed", error)

    def look(self) -> None:
        """Reads the file once and has it followed."""
        problem = self._describe_problem()
        if problem and problem != self._problem:
            logger.error("%s; the models stay as they are", problem)
        if self._problem and not problem:
            logger.info("%s is good again", self._path)
        self._problem = problem

    def _describe_problem(self) -> str:
        try:
            self._apply(read_config_file(self._path))
        except StartError as error:
            return str(error)
        except StatusError as error:
            return f"--model_config_file: {self._path}: {error.message}"
        return ""

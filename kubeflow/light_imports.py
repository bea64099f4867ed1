"""Importing parts of TFX without the whole of it.

Some imports cost seconds that most steps have no use for, and each step is a process of its own:
artifact classes import TensorFlow where it is installed, though they can do without it; importing
any one component imports all of them; and Keras imports scikit-learn where it is installed.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

_PACKAGE: Final = "tfx.components"


def import_tfx_types() -> ModuleType:
    """Imports TFX's artifact classes without TensorFlow, and returns their module.

    TensorFlow can be imported afterwards. TFX's own file functions then know local paths only.
    Where TensorFlow has been imported before, nothing is gained and nothing changes.
    """
    with hidden("tensorflow"):
        return importlib.import_module("tfx.types.standard_artifacts")


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """A block to which a package seems not to be installed, unless it is imported already."""
    if name in sys.modules:
        yield
        return
    # To the import system: there is no such module.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def skip_component_package() -> None:
    """Makes `tfx.components` a package whose modules can be imported one by one.

    Its own `__init__`, which imports every component, is not run; names that it would export are
    missing from it.
    """
    if _PACKAGE in sys.modules:
        return
    specification = importlib.util.find_spec(_PACKAGE)
    if specification is not None:
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(specification)

"""Importing parts of TFX without the whole of it.

Two imports of TFX cost seconds that most steps have no use for, and each step is a process of its
own: artifact classes import TensorFlow where it is installed, though they can do without it; and
importing any one component imports all of them.
"""

import importlib.util
import sys
from types import ModuleType
from typing import Final

_PACKAGE: Final = "tfx.components"


def import_tfx_types() -> ModuleType:
    """Imports TFX's artifact classes without TensorFlow, and returns their module.

    TensorFlow can be imported afterwards. TFX's own file functions then know local paths only.
    Where TensorFlow has been imported before, nothing is gained and nothing changes.
    """
    is_hidden = "tensorflow" not in sys.modules
    if is_hidden:
        # To the import system: there is no such module.
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("tfx.types.standard_artifacts")
    finally:
        if is_hidden:
            del sys.modules["tensorflow"]


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

"""Darkroom: from a table of images to a served model.

The repository's root is this package: `darkroom.trainer` is the folder `trainer`.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Gives TFX the artifact types by the name it looks for, `darkroom.<Class>`.

    Not imported at the top: whoever reads a recipe or asks a server need not wait for TFX.
    """
    # Modules are no classes, and are asked for in this way too.
    if not name[0].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from darkroom.components import artifacts

    return getattr(artifacts, name)

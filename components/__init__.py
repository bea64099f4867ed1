"""TFX nodes of Darkroom: one folder each, `component.py` wires and `executor.py` works."""

from typing import Any

_ARTIFACTS = ("DataBlessing", "Quarantine", "Report")


def __getattr__(name: str) -> Any:
    """Gives TFX the artifact types by the name it looks for, `components.<Class>`.

    Not imported at the top: reading a recipe imports this room, and need not wait for TFX.
    """
    if name not in _ARTIFACTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from components import artifacts

    return getattr(artifacts, name)

"""Which model to ask, and what the server knows of its versions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """The model that requests mean.

    Args:
        version: Number of the version; None leaves it to the label, or takes the newest.
        label: Label of the version, as the server's configuration gives it.

    Raises:
        ValueError: No name, or both version and label.
    """

    model: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model is empty; give the name the server serves it by")
        if self.version is not None and self.label is not None:
            raise ValueError(
                f"version {self.version} and label {self.label!r} are both given; use one"
            )


@dataclass(frozen=True)
class ModelVersionStatus:
    """State of one version.

    Attributes:
        state: START, LOADING, AVAILABLE, UNLOADING or END.
        error_code: Name of a canonical code; OK if nothing is wrong.
    """

    version: int
    state: str
    error_code: str
    error_message: str

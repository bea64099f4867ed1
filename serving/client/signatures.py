"""What a model can be asked: its signatures, the same over both protocols."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of an input or output.

    Attributes:
        type_name: TensorFlow's name of the type, as `float` or `string`.
        shape: Sizes, None where any size will do; None if even their number is not fixed.
    """

    type_name: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.type_name} of any shape"
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.type_name} [{sizes}]"


@dataclass(frozen=True)
class Signature:
    """One way to call a model.

    Attributes:
        method_name: As `tensorflow/serving/predict`; may be empty.
        inputs: Input name to type and shape.
        outputs: Output name to type and shape.
    """

    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def read_shape(sizes: list[int], is_rank_unknown: bool) -> tuple[int | None, ...] | None:
    """Returns a shape whose unknown sizes are negative in the protocol."""
    if is_rank_unknown:
        return None
    return tuple(None if size < 0 else size for size in sizes)

"""What callers give as a tensor: arrays, lists, bytes."""

from typing import Any

import numpy as np


def to_array(value: Any) -> np.ndarray:
    """Returns a value as an array; bytes and strings as an object array.

    Numpy's own string types would cut trailing zero bytes, which images may have.
    """
    array = np.asarray(value)
    return np.asarray(value, object) if array.dtype.kind in "SU" else array

"""How warm-up requests are replayed; apart, as replaying them imports TensorFlow."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WarmUp:
    """How warm-up requests are replayed.

    Args:
        iterations: How often each of them.
        check_method_names: Whether a signature's method name must be that of the request.
    """

    iterations: int = 1
    check_method_names: bool = False

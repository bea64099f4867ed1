"""Until when the answer to a request is of use; what computes it is stopped then.

A deadline is a time of `time.monotonic` in seconds; infinity is none.
"""

import math
import time
from typing import Final

from darkroom.serving.model_server.errors import Code, StatusError

NO_DEADLINE: Final = math.inf
TIMED_OUT: Final = "Timed out waiting for notification"
"""What TensorFlow says of a request that ran into its time limit."""
_MAX_MILLISECONDS: Final = 2**31 - 1


def find_end(seconds: float | None) -> float:
    """Returns the deadline that is so many seconds away; None sets none."""
    return NO_DEADLINE if seconds is None else time.monotonic() + seconds


def count_milliseconds(deadline: float) -> int:
    """Returns how many milliseconds are left, at least 1; 0 says that there is no deadline.

    Raises:
        StatusError: DEADLINE_EXCEEDED; the time is over.
    """
    if deadline == NO_DEADLINE:
        return 0
    left = deadline - time.monotonic()
    if left <= 0:
        raise StatusError(Code.DEADLINE_EXCEEDED, TIMED_OUT)
    return min(math.ceil(left * 1000), _MAX_MILLISECONDS)

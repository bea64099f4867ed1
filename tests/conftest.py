"""What all tests share."""

import signal

from hypothesis import HealthCheck, settings

# The same examples every time, on slow machines too.
settings.register_profile(
    "darkroom",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("darkroom")

# A shell ignores interrupts on behalf of what it starts in the background, and so would the
# programs that tests start in order to interrupt them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

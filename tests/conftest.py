"""What all tests share: hypothesis draws the same examples every time, on slow machines too."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "darkroom",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("darkroom")

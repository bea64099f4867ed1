"""Names for versions, and when a configuration may give them."""

from collections.abc import Callable, Mapping

from serving.model_server.errors import FailedPrecondition


def check_labels(
    model_name: str,
    labels: Mapping[str, int],
    before: Mapping[str, int],
    is_available: Callable[[int], bool],
    allow_unavailable: bool = False,
) -> None:
    """Checks that a model's labels name versions that answer, so that no request is lost.

    Args:
        model_name: Name of the model.
        labels: Label to version number, as asked for.
        before: The same as it is now.
        is_available: Says whether a version answers requests.
        allow_unavailable: Whether a label that names no other version now may name one that does
            not answer yet.

    Raises:
        FailedPrecondition: A label names a version that it may not.
    """
    for label, version in labels.items():
        is_free = before.get(label, version) == version
        if not (allow_unavailable and is_free) and not is_available(version):
            raise FailedPrecondition(
                f"Request to assign label to version {version} of model {model_name}, "
                "which is not currently available for inference"
            )

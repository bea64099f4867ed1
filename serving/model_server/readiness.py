"""Whether requests should be sent to this server, as Kubernetes and gRPC's health service ask."""

from serving.model_server.core import ModelSpec, ServerCore
from serving.model_server.errors import NotFound
from serving.model_server.models.statuses import State


class Readiness:
    """Ready from when every model can be asked until the server begins to stop.

    Every configured model must have had an available version. A model that is added or reloaded
    later does not turn a server that answers for all the others away from its clients. This is
    what TensorFlow Serving's answer means, which opens its ports once all models are loaded.

    Args:
        core: The models; None while there are none yet.
    """

    def __init__(self, core: ServerCore | None = None) -> None:
        self._core = core
        self._has_been_ready = False
        self._is_stopping = False

    def is_ready(self) -> bool:
        """Returns whether requests should be sent here now."""
        if not self._has_been_ready and self._core is not None:
            core = self._core
            self._has_been_ready = all(_is_available(core, name) for name in core.list_models())
        return self._has_been_ready and not self._is_stopping

    def begin_stop(self) -> None:
        """Says no from now on."""
        self._is_stopping = True


def _is_available(core: ServerCore, model_name: str) -> bool:
    try:
        statuses = core.list_statuses(ModelSpec(model_name))
    except NotFound:
        return False
    return any(status.state is State.AVAILABLE for status in statuses)

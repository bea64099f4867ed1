"""What REST and gRPC have in common: from a model's name to its answer."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from serving.model_server.errors import InvalidArgument, NotFound
from serving.model_server.models.leases import LoadedVersion
from serving.model_server.models.manager import ModelManager
from serving.model_server.models.statuses import VersionStatus


@dataclass(frozen=True)
class ModelSpec:
    """Which version of which model a request means.

    Attributes:
        name: Name of the model.
        version: Number of the version; None leaves it to the label, or takes the newest.
        label: Label of the version.
    """

    name: str
    version: int | None = None
    label: str | None = None


class ServerCore:
    """The models of one server.

    Args:
        managers: Model name to its manager.
        labels: Model name to its version labels.
    """

    def __init__(
        self,
        managers: Mapping[str, ModelManager],
        labels: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self._managers = managers
        self._labels = labels or {}

    @contextlib.contextmanager
    def lease(self, spec: ModelSpec) -> Iterator[LoadedVersion]:
        """Keeps the version that a request means loaded for the time of the request.

        Raises:
            InvalidArgument: No name, or a label that does not exist.
            NotFound: That model or version is not served.
        """
        if not spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        version = self._resolve_version(spec)
        manager = self._managers.get(spec.name)
        if manager is None:
            wanted = spec.name if version is None else f"{spec.name}, {version}"
            kind = "Latest" if version is None else "Specific"
            raise NotFound(f"Servable not found for request: {kind}({wanted})")
        with manager.lease(version) as loaded:
            yield loaded

    def list_statuses(self, spec: ModelSpec) -> list[VersionStatus]:
        """Returns the status of the version meant, or of all versions, the newest first.

        Raises:
            InvalidArgument: A label that does not exist.
            NotFound: No such model or version.
        """
        manager = self._managers.get(spec.name)
        statuses = manager.list_statuses() if manager is not None else []
        version = self._resolve_version(spec)
        if version is not None:
            statuses = [status for status in statuses if status.version == version]
            if not statuses:
                raise NotFound(f"Could not find version {version} of model {spec.name}")
        if not statuses:
            raise NotFound(f"Could not find any versions of model {spec.name}")
        return statuses

    def _resolve_version(self, spec: ModelSpec) -> int | None:
        if spec.version is not None and spec.label is not None:
            raise InvalidArgument(
                f"Both model version ({spec.version}) and model version label ({spec.label}) "
                "cannot be supplied."
            )
        if spec.label is None:
            return spec.version
        labels = self._labels.get(spec.name, {})
        if spec.label not in labels:
            raise InvalidArgument(f"Unrecognized servable version label: {spec.label}")
        return labels[spec.label]

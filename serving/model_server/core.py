"""What REST and gRPC have in common: from a model's name to its answer.

The models and their labels are one mapping that is replaced as a whole, so that a request sees one
configuration or the next and no mixture. A request whose version has just been let go for another
configuration is resolved again under that one.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from darkroom.serving.model_server.config import ServerConfig
from darkroom.serving.model_server.errors import (
    Code,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    StatusError,
)
from darkroom.serving.model_server.models.leases import LoadedVersion
from darkroom.serving.model_server.models.manager import POLL_SECONDS, ModelManager, not_served
from darkroom.serving.model_server.models.settings import ModelSettings, copy_config, read_settings
from darkroom.serving.model_server.models.statuses import State, VersionStatus
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.model_server.operations.record_files import RecordFiles, Retention
from darkroom.serving.model_server.operations.request_log import RequestLog

logger = logging.getLogger(__name__)

MAX_REMOVED: Final = 100
"""Models that are no longer served and whose status is remembered."""
CreateManager = Callable[[ModelSettings], ModelManager]
"""Makes the manager of a model, not started."""


@dataclass(frozen=True)
class ModelSpec:
    """Which version of which model a request means.

    Attributes:
        version: Number of the version; None leaves it to the label, or takes the newest.
        label: Label of the version.
    """

    name: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class _Model:
    """One model as a configuration has it."""

    manager: ModelManager
    settings: ModelSettings


class ServerCore:
    """The models of one server; safe to use from any thread.

    Args:
        create_manager: Makes the models of the configurations that `apply` is given.
        config: What is allowed to requests and labels, and how requests are logged.

    Attributes:
        check_method_names: Whether a signature is used only by the API that its method name says.
        request_log: Logs a sample of the requests, as the models' configuration says.
    """

    def __init__(
        self, create_manager: CreateManager, config: ServerConfig, metrics: Metrics
    ) -> None:
        self.check_method_names = config.enable_signature_method_name_check
        self._models: Mapping[str, _Model] = {}
        self._create_manager = create_manager
        self._allow_unavailable_labels = config.allow_version_labels_for_unavailable_models
        self.metrics = metrics
        retention = Retention(config.request_log_max_bytes, config.request_log_max_days)
        self.request_log = RequestLog(
            self.logging_config, metrics, config.saved_model_tags, RecordFiles(retention)
        )
        self._applying = threading.Lock()
        self._config: Any = None
        self._stopped = False
        self._has_been_ready = False
        self._is_stopping = False
        # Models that are no longer served; their versions' END is still told.
        self._removed: dict[str, ModelManager] = {}

    @contextlib.contextmanager
    def lease(self, spec: ModelSpec) -> Iterator[LoadedVersion]:
        """Keeps the version that a request means loaded for the time of the request.

        Raises:
            InvalidArgument: No name, or a label that does not exist.
            NotFound: That model or version is not served.
        """
        loaded = self._acquire(spec)
        try:
            yield loaded
        finally:
            loaded.release()

    def _acquire(self, spec: ModelSpec) -> LoadedVersion:
        if not spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        while True:
            models = self._models
            model = models.get(spec.name)
            version = _resolve_version(spec, model)
            loaded = model.manager.acquire(version) if model is not None else None
            if loaded is not None:
                return loaded
            if models is self._models:
                raise not_served(spec.name, version)

    def list_statuses(self, spec: ModelSpec) -> list[VersionStatus]:
        """Returns the status of the version meant, or of all versions, the newest first.

        Raises:
            InvalidArgument: A label that does not exist.
            NotFound: No such model or version.
        """
        model = self._models.get(spec.name)
        version = _resolve_version(spec, model)
        statuses = self._list_known(spec.name, model)
        if version is not None:
            statuses = [status for status in statuses if status.version == version]
            if not statuses:
                raise NotFound(f"Could not find version {version} of model {spec.name}")
        if not statuses:
            raise NotFound(f"Could not find any versions of model {spec.name}")
        return statuses

    def _list_known(self, name: str, model: _Model | None) -> list[VersionStatus]:
        removed = self._removed.get(name)
        known = {status.version: status for status in removed.list_statuses()} if removed else {}
        if model is not None:
            known |= {status.version: status for status in model.manager.list_statuses()}
        return [known[version] for version in sorted(known, reverse=True)]

    def list_models(self) -> list[str]:
        """Returns the names of the models, in the order of the configuration."""
        return list(self._models)

    def list_states(self) -> list[tuple[str, int, str]]:
        """Returns name, version and state of every version of every model."""
        return [
            (name, status.version, status.state.name)
            for name, model in self._models.items()
            for status in model.manager.list_statuses()
        ]

    def is_ready(self) -> bool:
        """Returns whether requests should be sent here, as Kubernetes and gRPC's clients ask.

        Ready from when every model can be asked until the server begins to stop. A model that is
        added or reloaded later does not turn a server that answers for all the others away from its
        clients. This is what TensorFlow Serving's answer means, which opens its ports once all
        models are loaded.
        """
        if not self._has_been_ready:
            states = self.list_states()
            available = {name for name, _, state in states if state == State.AVAILABLE.name}
            self._has_been_ready = available.issuperset(self.list_models())
        return self._has_been_ready and not self._is_stopping

    def begin_stop(self) -> None:
        """Is not ready from now on; requests that come all the same are answered."""
        self._is_stopping = True

    def get_manager(self, name: str) -> ModelManager | None:
        """Returns what follows the versions of a model; None where there is no such model."""
        model = self._models.get(name)
        return model.manager if model is not None else None

    def logging_config(self, model_name: str) -> Any:
        """Returns the `LoggingConfig` message of a model as configured now; None if it has none."""
        model = self._models.get(model_name)
        return model.settings.logging_config if model is not None else None

    async def reload(self, config: Any) -> None:
        """Serves what a `ModelServerConfig` says and nothing else, and waits for what it adds.

        Models that are served already go on; what changes for them happens after the answer.

        Raises:
            StatusError: The configuration is refused, and nothing has changed; or it is followed
                (code UNKNOWN), and one of the new models failed to load.
        """
        added = await asyncio.to_thread(self.apply, config)
        while not all(manager.is_decided() for manager in added):
            await asyncio.sleep(POLL_SECONDS)
        failed = [manager for manager in added if not _is_available(manager)]
        if failed:
            reasons = "".join(f"{{{_describe_failure(manager)}}}, " for manager in failed)
            raise StatusError(
                Code.UNKNOWN, f"{len(failed)} model(s) did not become available: {{{reasons}}}"
            )

    def check(self, config: Any) -> None:
        """Checks a configuration and changes nothing; StatusError where `apply` would refuse it."""
        with self._applying:
            self._read(copy_config(config))

    def apply(self, config: Any) -> list[ModelManager]:
        """Begins to serve what a `ModelServerConfig` says; returns before any model is loaded.

        Calls from several threads take turns.

        Returns:
            The managers of the models that are new.

        Raises:
            StatusError: The configuration is refused, and nothing has changed.
        """
        with self._applying:
            config = copy_config(config)
            if config == self._config:
                return []
            settings = self._read(config)
            added = self._follow(settings)
            # TensorFlow Serving takes a first configuration that is empty for none.
            self._config = config if config.WhichOneof("config") else None
            return added

    def _read(self, config: Any) -> Mapping[str, ModelSettings]:
        self._check_transition(config)
        settings = read_settings(config, served=self._models.keys())
        self._check_labels(settings)
        return settings

    def _check_transition(self, config: Any) -> None:
        if self._stopped:
            raise StatusError(Code.UNAVAILABLE, "the server is stopping")
        kind = config.WhichOneof("config")
        if kind == "model_config_list" or (kind is None and self._config is None):
            return
        if self._config is None:
            raise InvalidArgument("custom_model_config is not supported; use model_config_list")
        raise FailedPrecondition(
            "Cannot transition to requested config. It is only legal to transition from one "
            "ModelConfigList to another."
        )

    def _check_labels(self, settings: Mapping[str, ModelSettings]) -> None:
        """Checks that labels name versions that answer, so that no request is lost."""
        for name, wanted in settings.items():
            model = self._models.get(name)
            before = model.settings.labels if model is not None else {}
            for label, version in wanted.labels.items():
                is_free = before.get(label, version) == version
                may_be_missing = self._allow_unavailable_labels and is_free
                is_available = model is not None and model.manager.is_available(version)
                if not may_be_missing and not is_available:
                    raise FailedPrecondition(
                        f"Request to assign label to version {version} of model {name}, "
                        "which is not currently available for inference"
                    )

    def _follow(self, settings: Mapping[str, ModelSettings]) -> list[ModelManager]:
        before = self._models
        models = {name: self._create_model(wanted) for name, wanted in settings.items()}
        added = [models[name].manager for name in models.keys() - before.keys()]
        _start_all(added)
        # Names and labels first: no request is then sent to a version that is let go below.
        self._models = models
        for name in models.keys() & before.keys():
            models[name].manager.configure(settings[name].base_path, settings[name].versions)
        for name in before.keys() - models.keys():
            before[name].manager.stop()
            self._remember(before[name].manager)
        logger.info("models: %s", ", ".join(models) or "none")
        return added

    def _remember(self, removed: ModelManager) -> None:
        self._removed.pop(removed.name, None)
        self._removed[removed.name] = removed
        for name in list(self._removed)[:-MAX_REMOVED]:
            del self._removed[name]

    def _create_model(self, settings: ModelSettings) -> _Model:
        model = self._models.get(settings.name)
        manager = model.manager if model is not None else self._create_manager(settings)
        return _Model(manager, settings)

    def stop(self) -> None:
        """Lets all models go, and follows no configuration any more; returns at once."""
        with self._applying:
            self._stopped = True
            for model in self._models.values():
                model.manager.stop()

    def join(self, timeout_seconds: float) -> bool:
        """Waits until a stopped server's models are unloaded; returns whether they are."""
        deadline = time.monotonic() + timeout_seconds
        managers = [model.manager for model in self._models.values()]
        managers += self._removed.values()
        ended = [manager.join(max(deadline - time.monotonic(), 0)) for manager in managers]
        return all(ended)


def _resolve_version(spec: ModelSpec, model: _Model | None) -> int | None:
    if spec.version is not None and spec.label is not None:
        raise InvalidArgument(
            f"Both model version ({spec.version}) and model version label ({spec.label}) "
            "cannot be supplied."
        )
    if spec.label is None:
        return spec.version
    labels = model.settings.labels if model is not None else {}
    if spec.label not in labels:
        raise InvalidArgument(f"Unrecognized servable version label: {spec.label}")
    return labels[spec.label]


def _start_all(managers: Sequence[ModelManager]) -> None:
    try:
        for manager in managers:
            manager.start()
    except BaseException:
        for manager in managers:
            manager.stop()
        raise


def _is_available(manager: ModelManager) -> bool:
    return any(status.state is State.AVAILABLE for status in manager.list_statuses())


def _describe_failure(manager: ModelManager) -> str:
    for status in manager.list_statuses():
        reason = f" due to error: {status.code.name}: {status.message}" if status.message else ""
        return f"{{name: {manager.name} version: {status.version}}}{reason}"
    return f"{{name: {manager.name}}} due to error: CANCELLED: it was removed meanwhile"

"""A server's core on servables that need no TensorFlow."""

import asyncio

from darkroom.serving.model_server.core import ModelSpec, ServerCore
from darkroom.serving.model_server.models.manager import ModelManager
from darkroom.serving.model_server.operations.metrics import Metrics
from darkroom.serving.protos.text_files import parse_text
from darkroom.tests.serving.models.fakes import (
    NO_RETRY,
    Echo,
    create_config,
)


class Served:
    """A core and the configurations that it is given."""

    def __init__(self, root, policy=NO_RETRY, **options):
        self.root = root
        self.loaders = {}
        self.policy = policy
        self.core = ServerCore(self.create, create_config(**options), Metrics())

    def create(self, settings):
        load = self.loaders.get(settings.name, Echo)
        return ModelManager(
            settings.name, settings.base_path, load, Metrics(), self.policy, settings.versions
        )

    def config(self, *models):
        """Each model as its name, or as a name and more fields."""
        pairs = [model if isinstance(model, tuple) else (model, "") for model in models]
        entries = [
            f'config {{ name: "{name}" base_path: "{self.root / name}" '
            f'model_platform: "tensorflow" {more} }}'
            for name, more in pairs
        ]
        text = f"model_config_list {{ {' '.join(entries)} }}"
        return parse_text(text, "ModelServerConfig", "a test")

    def reload(self, *models):
        asyncio.run(self.core.reload(self.config(*models)))

    def apply(self, *models):
        return self.core.apply(self.config(*models))

    def ask(self, name, version=None, label=None):
        with self.core.lease(ModelSpec(name, version, label)) as loaded:
            assert not loaded.servable.closed
            return loaded.version

    def states(self, name):
        statuses = self.core.list_statuses(ModelSpec(name))
        return {status.version: status.state.name for status in statuses}


def labels(**versions):
    return " ".join(
        f'version_labels {{ key: "{label}" value: {version} }}'
        for label, version in versions.items()
    )


ALL = "model_version_policy { all {} }"

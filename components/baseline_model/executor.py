"""What BaselineModel does."""

from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from darkroom.components.model_artifact import serving_model
from darkroom.storage.versions.place import open_place


class Executor(base_executor.BaseExecutor):
    """Copies the newest served version, without its warm-up requests."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        model = artifact_utils.get_single_instance(output_dict["model"])
        Path(model.uri).mkdir(parents=True, exist_ok=True)
        place = open_place(exec_properties["destination"])
        served = place.newest()
        if served:
            place.copy(served, serving_model([model]))
        model.set_int_custom_property("served_version", served.number if served else 0)

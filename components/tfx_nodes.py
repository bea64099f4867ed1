"""TFX's own nodes."""

from operator import attrgetter
from typing import Final

from darkroom.components.node import NodeSpec, SideFile

STATISTICS_GEN: Final = NodeSpec("StatisticsGen", fixed=("data.metadata_columns",))
SCHEMA_GEN: Final = NodeSpec("SchemaGen")
IMPORT_SCHEMA_GEN: Final = NodeSpec(
    "ImportSchemaGen",
    fixed=("validation.schema_path",),
    file=SideFile("validation.schema_path", attrgetter("validation.schema_path")),
)
EXAMPLE_VALIDATOR: Final = NodeSpec("ExampleValidator")
TRANSFORM: Final = NodeSpec(
    "Transform",
    {("custom_config", "transform"): "transform"},
    fixed=("transform.materialize",),
)
TRAINER: Final = NodeSpec(
    "Trainer",
    {("custom_config", "trainer"): "trainer", ("custom_config", "transform"): "transform"},
    file=SideFile("trainer.weights", attrgetter("trainer.weights_file")),
    is_divisible=True,
)

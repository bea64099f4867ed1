"""The nodes of the DAG, in its order. A node is added here, in its folder, and to the wiring."""

from typing import Final

from darkroom.components.baseline_model.node import BASELINE_MODEL
from darkroom.components.data_gate.node import DATA_GATE
from darkroom.components.evaluator.node import EVALUATOR
from darkroom.components.image_example_gen.node import IMAGE_EXAMPLE_GEN
from darkroom.components.node import NodeSpec, WorldState
from darkroom.components.pusher.node import PUSHER
from darkroom.components.run_report.node import RUN_REPORT
from darkroom.components.serving_check.node import SERVING_CHECK
from darkroom.components.tfx_nodes import (
    EXAMPLE_VALIDATOR,
    IMPORT_SCHEMA_GEN,
    SCHEMA_GEN,
    STATISTICS_GEN,
    TRAINER,
    TRANSFORM,
)

NODES: Final[dict[str, NodeSpec]] = {
    node.name: node
    for node in (
        IMAGE_EXAMPLE_GEN,
        STATISTICS_GEN,
        SCHEMA_GEN,
        IMPORT_SCHEMA_GEN,
        EXAMPLE_VALIDATOR,
        DATA_GATE,
        TRANSFORM,
        TRAINER,
        BASELINE_MODEL,
        EVALUATOR,
        SERVING_CHECK,
        PUSHER,
        RUN_REPORT,
    )
}
"""By name. SchemaGen and ImportSchemaGen stand in for each other."""

STATES: Final[tuple[WorldState, ...]] = tuple(
    node.state for node in NODES.values() if node.state is not None
)
"""All that the nodes read of the world."""

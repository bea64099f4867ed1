"""What DataGate is."""

from typing import Final

from darkroom.components.node import NodeSpec

DATA_GATE: Final = NodeSpec(
    "DataGate",
    {
        ("max_quarantined",): "data.max_quarantined",
        ("fatal",): "validation.fatal",
        ("fatal_features",): "validation.fatal_features",
    },
)

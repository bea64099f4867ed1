"""What Evaluator is."""

from typing import Final

from darkroom.components.node import NodeSpec

EVALUATOR: Final = NodeSpec("Evaluator", {("evaluation",): "evaluation"})

"""Parameters, weights and arithmetic of each backbone: `python -m darkroom.benchmarks.backbones`.

Counted, not timed: the figures are the same on every machine.
"""

import math
import sys
from typing import Final

import keras

from darkroom.trainer.backbones import BACKBONES

SIDES: Final = (96, 224)
"""Heights and widths in pixels."""


def count_multiplications(model: keras.Model) -> int:
    """Multiplications with weights for one image, in convolutions and dense layers."""
    layers = (layer for layer in model.layers if hasattr(layer, "kernel"))
    return sum(
        math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape) for layer in layers
    )


def main() -> int:
    """Prints a row of the table in docs/choosing.md for each backbone; returns the exit status."""
    for name, backbone in BACKBONES.items():
        models = [
            backbone.construct(1.0, weights=None, input_shape=(side, side, 3)) for side in SIDES
        ]
        parameters = models[0].count_params()
        cells = [
            f"{parameters / 1e6:.1f}",
            f"{parameters * 4 / 1e6:.0f} MB",
            *(f"{count_multiplications(model) / 1e9:.2f}" for model in models),
        ]
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

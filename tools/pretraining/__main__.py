"""Makes the shipped weights: `python -m darkroom.tools.pretraining --fonts /usr/share/fonts`.

Takes about ten minutes on two cores. The fonts come from `fonts.DEBIAN_PACKAGES`.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import PIL
import tensorflow as tf

from darkroom.tools.pretraining.fonts import find_fonts, split_fonts
from darkroom.tools.pretraining.letters import LETTERS
from darkroom.tools.pretraining.train import PretrainingConfig, PretrainingResult, pretrain
from darkroom.trainer.backbones import LETTERS_FILE
from darkroom.trainer.errors import TrainerError


def record_path(weights: Path) -> Path:
    """Where the JSON record of a weights file lies: beside it."""
    return weights.with_name(weights.name.removesuffix(".weights.h5") + ".json")


def make_record(
    weights: Path,
    config: PretrainingConfig,
    result: PretrainingResult,
    train_fonts: Sequence[Path],
    held_out_fonts: Sequence[Path],
) -> dict[str, Any]:
    """How the weights were made, what they reached, and their SHA-256."""
    return {
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "bytes": weights.stat().st_size,
        "classes": LETTERS,
        **config.model_dump(),
        **result.model_dump(),
        "versions": {
            "python": sys.version.split()[0],
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
        "fonts": sorted(font.name for font in train_fonts),
        "held_out_fonts": sorted(font.name for font in held_out_fonts),
    }


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, PretrainingConfig]:
    defaults = PretrainingConfig()
    parser = argparse.ArgumentParser(
        prog="darkroom.tools.pretraining", description="Learn letters."
    )
    parser.add_argument("--fonts", type=Path, nargs="+", required=True, help="folders with fonts")
    parser.add_argument("--output", type=Path, default=LETTERS_FILE, help="a .weights.h5 file")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--images", type=int, default=defaults.images)
    parser.add_argument("--held-out-images", type=int, default=defaults.held_out_images)
    parser.add_argument("--epochs", type=int, default=defaults.epochs)
    options = parser.parse_args(arguments)
    if not options.output.name.endswith(".weights.h5"):
        parser.error(f"--output should end in .weights.h5. Received: {options.output}")
    config = PretrainingConfig(
        seed=options.seed,
        images=options.images,
        held_out_images=options.held_out_images,
        epochs=options.epochs,
    )
    return options, config


def main(arguments: Sequence[str] | None = None) -> int:
    """Renders, trains, writes weights and record; 1 when the fonts do not do."""
    options, config = _parse(arguments)
    try:
        train_fonts, held_out_fonts = split_fonts(find_fonts(options.fonts))
    except TrainerError as error:
        print(error, file=sys.stderr)
        return 1
    backbone, result = pretrain(train_fonts, held_out_fonts, config)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    backbone.save_weights(options.output)
    record = make_record(options.output, config, result, train_fonts, held_out_fonts)
    record_path(options.output).write_text(json.dumps(record, indent=2) + "\n")
    print(f"{options.output}: letters in unseen fonts {result.held_out_font_accuracy:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

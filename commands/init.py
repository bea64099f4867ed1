"""`darkroom init DIR_OR_CSV`: looks at photographs and writes a recipe that runs."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkroom.commands.data_layout import DataLayout

HELP = "look at a folder or a CSV of photographs and write a commented recipe for it"
_SIZES = (224, 128, 96, 64)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "data", type=Path, metavar="DIR_OR_CSV",
        help="class folders or a folder with a table, packed or not, or the table",
    )  # fmt: skip
    parser.add_argument("--name", metavar="N", help="the pipeline's name (default: the folder's)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write it (default: NAME.yaml)"
    )


def run(options: argparse.Namespace) -> int:
    """Says what it chose and why, and writes the recipe."""
    from darkroom.commands.data_layout import find_layout, median_side
    from darkroom.components.image_example_gen.check import check
    from darkroom.recipe import ConfigError, make_name, parse_recipe, read_yaml
    from darkroom.storage.whole_files import replace_text

    layout = find_layout(options.data)
    name = options.name or make_name(layout.path.absolute().name) or "mine"
    output = options.output or Path(f"{name}.yaml")
    if output.exists():
        raise ConfigError(f"--output: {str(output)!r} exists; remove it, or give another name")
    side = median_side(layout)
    size = next((each for each in _SIZES if side >= each * 0.8), _SIZES[-1])
    draft = _write(name, layout, {"?": 0}, size)
    overview = check(parse_recipe(read_yaml(draft)).data)
    counts = overview.images_by_label
    text = _write(name, layout, counts, size, drawn="eval" not in overview.given)
    parse_recipe(read_yaml(text))
    replace_text(output, text)
    total, largest = sum(counts.values()), max(counts, key=lambda label: counts[label])
    print(f"{total} images, {len(counts)} classes: {_name_classes(counts)}")
    for field, value in layout.section.items():
        if field != "format":
            print(f"data.{field}: {value}")
    for note in overview.notes:
        print(f"note: {note}")
    print(f"image size {size}: half of the images are at least {side} pixels at their shorter side")
    print(
        f"accuracy of at least {_bound(counts)}: halfway between always saying {largest!r} and "
        "always being right"
    )
    print(f"wrote {output}; next: darkroom run {output}")
    return 0


def _bound(counts: Mapping[str, int]) -> float:
    share = max(counts.values()) / max(1, sum(counts.values()))
    return round((share + 1) / 2, 2)


def _name_classes(counts: Mapping[str, int], most: int = 8) -> str:
    named = [f"{label} {number}" for label, number in list(counts.items())[:most]]
    return ", ".join(named) + (", …" if len(counts) > most else "")


def _write(
    name: str, layout: "DataLayout", counts: Mapping[str, int], size: int, drawn: bool = True
) -> str:
    """The recipe's text; `drawn`: the data give no eval split."""
    import json

    quote = json.dumps  # JSON's strings are YAML's, whatever is in them.
    section = "".join(
        f"  {field}: {quote(value, ensure_ascii=False)}\n"
        for field, value in layout.section.items()
    )
    if drawn:
        section += "  eval_fraction: 0.2               # of each class, by the images' content\n"
    total = sum(counts.values())
    epochs = 3 if total > 5000 else 8
    return f"""\
# {total} images, {len(counts)} classes. Every field, with what it means: darkroom recipe
#
#   darkroom run {name}.yaml
version: 1
name: {quote(name)}
data:
  path: {quote(str(layout.path), ensure_ascii=False)}
{section}\
  max_quarantined: 0.05            # more unusable images than this stop the run
transform:
  image_height: {size}
  image_width: {size}
  resize: crop                     # keeps the aspect ratio; `pad` shows the whole image
trainer:
  backbone: efficientnet_lite0     # its ImageNet weights are installed: nothing is downloaded
  weights: imagenet
  batch_size: {32 if total >= 400 else 16}
  head_epochs: {epochs}                   # only the new head: minutes without a GPU
  fine_tune_epochs: 0              # with a GPU: 5 or more
  augmentation:                    # training images only
    horizontal_flip: true          # false where left and right mean something
    rotation: 10                   # degrees, either way
    zoom: 0.1
evaluation:
  thresholds:
    accuracy:
      min: {_bound(counts) if total else 0.5}                    # below it nothing is pushed
      min_improvement: -0.01       # against the model that is served
  slices: [label]
push:
  destination: {quote(f"models/{name}")}
  model_name: {quote(name)}
"""

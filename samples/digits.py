"""Writes scikit-learn's 1,797 handwritten digits as PNG files with a CSV of labels.

Use: `python -m darkroom.samples.digits --output data/digits`. The same command always
writes the same bytes; a folder that already holds them is left alone.

Column `source`: the set was written by 13 people and keeps the order in which it was collected,
but not who wrote what. So it is cut into 13 blocks of neighbours, `block_01` to `block_13`, a
stand-in for the writer that is good enough to slice metrics by.
"""

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

from darkroom.samples.folder import FolderError, write_folder

Layout = Literal["csv", "folders"]

SIZE = 32
"""Height and width of the written images, in pixels; the originals have 8."""
DIGITS = 1797
SMALLEST_CLASS = 174
WRITERS = 13


class Digit(NamedTuple):
    """One digit of the set: its place in it, class 0 to 9, and pixels uint8 [8, 8]."""

    place: int
    label: int
    pixels: npt.NDArray[np.uint8]


def select_digits(per_class: int | None = None) -> list[Digit]:
    """The whole set, or `per_class` digits of each class, spread evenly over it, in its order."""
    data = load_digits()
    grey = np.round(data.images * (255 / 16)).astype(np.uint8)
    kept = range(len(grey)) if per_class is None else _spread(data.target, per_class)
    return [Digit(index, int(data.target[index]), grey[index]) for index in kept]


def _spread(labels: npt.NDArray[np.int64], per_class: int) -> list[int]:
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return sorted(int(m[i * len(m) // per_class]) for m in members for i in range(per_class))


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit grey PNG of SIZE x SIZE, smoothly enlarged from uint8 [8, 8].

    Stored without compression: compressors differ between builds, and other bytes would hash to
    another split and so to other published numbers.
    """
    enlarged = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    enlarged.save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def image_path(digit: Digit, layout: Layout) -> str:
    """Where the digit's file goes, relative to the output folder."""
    return f"{'images' if layout == 'csv' else digit.label}/{digit.place:04d}.png"


def source(digit: Digit) -> str:
    """The block of neighbours that the digit belongs to, see the module's text."""
    return f"block_{digit.place * WRITERS // DIGITS + 1:02d}"


def labels_csv(digits: Sequence[Digit]) -> bytes:
    """The CSV with a header and one line a digit: image_path, label, source."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("image_path", "label", "source"))
    writer.writerows((image_path(d, "csv"), d.label, source(d)) for d in digits)
    return text.getvalue().encode()


def sample_files(layout: Layout, per_class: int | None = None) -> dict[str, bytes]:
    """Relative path to content of every file of the sample folder."""
    digits = select_digits(per_class)
    files = {image_path(digit, layout): encode_png(digit.pixels) for digit in digits}
    if layout == "csv":
        files["labels.csv"] = labels_csv(digits)
    return files


def is_sample_path(path: str) -> bool:
    """Whether this program may have written `path`, in any layout."""
    folder, _, name = path.rpartition("/")
    ours = folder == "images" or (len(folder) == 1 and folder.isdigit())
    return path == "labels.csv" or (ours and Path(name).stem.isdigit() and name.endswith(".png"))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="darkroom.samples.digits", description="Write the digits."
    )
    parser.add_argument("--output", type=Path, default=Path("data/digits"), help="folder to write")
    parser.add_argument("--layout", choices=get_args(Layout), default="csv")
    parser.add_argument("--per-class", type=int, metavar="N", help="only N images of each class")
    options = parser.parse_args(arguments)
    if options.per_class is not None and not 1 <= options.per_class <= SMALLEST_CLASS:
        parser.error(f"--per-class should be 1 to {SMALLEST_CLASS}. Received: {options.per_class}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the folder and says so; 1 when the folder holds something else."""
    options = _parse(arguments)
    files = sample_files(options.layout, options.per_class)
    try:
        written = write_folder(options.output, files, is_sample_path)
    except FolderError as error:
        print(error, file=sys.stderr)
        return 1
    images = sum(path.endswith(".png") for path in files)
    print(f"{options.output}: {images} images, {'written' if written else 'already there'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

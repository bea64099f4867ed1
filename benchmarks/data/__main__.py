"""How fast the data path is: `python -m darkroom.benchmarks.data FOLDER`.

FOLDER holds a folder of photographs for each class. Two parts, each with its fair peer in the same
run on the same cores:

    parts: images a second of ingest, Transform and the Trainer's input, beside bare tf.data
        (read, decode, resize) and Keras' ImageDataGenerator over the same files.
    whole: a run of the pipeline, beside a plain Keras script (image_dataset_from_directory, fit,
        export) that trains the same model for as many epochs; imports included.

Every measurement is a process of its own. Images a second of CPU time are the better number where
others use the machine too.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from darkroom.benchmarks.data.measuring import Measured, measure_part, measure_whole
from darkroom.benchmarks.data.parts import PARTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table for each part, and writes JSON when asked to."""
    parser = argparse.ArgumentParser(
        prog="darkroom.benchmarks.data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="a folder of photographs for each class")
    parser.add_argument("--only", choices=("parts", "whole"), help="one of the two")
    parser.add_argument("--epochs", type=int, default=1, help="of the head, and of fine-tuning")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    console, results = Console(width=110), {}
    with tempfile.TemporaryDirectory() as work:
        if options.only != "whole":
            results["parts"] = [measure_part(name, folder, Path(work)) for name in PARTS]
            print_parts(console, results["parts"])
        if options.only != "parts":
            results["whole"] = measure_whole(folder, Path(work), options.epochs)
            print_whole(console, results["whole"])
    if options.json is not None:
        rows = {name: [asdict(row) for row in part] for name, part in results.items()}
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


def print_parts(console: Console, rows: Sequence[Measured]) -> None:
    """Images a second, and their ratio to bare tf.data's, which is the first row."""
    table = Table(title=f"{rows[0].images} photographs to 224 x 224")
    for column in ("", "images/s", "images/CPU-s", "of tf.data", "peak MB"):
        table.add_column(column, justify="left" if not column else "right")
    for row in rows:
        ratio = row.images_per_cpu_second / rows[0].images_per_cpu_second
        table.add_row(
            row.name,
            f"{row.images / row.seconds:,.0f}",
            f"{row.images_per_cpu_second:,.0f}",
            f"{ratio:.2f}",
            f"{row.peak_mb:,.0f}",
        )
    console.print(table)


def print_whole(console: Console, rows: Sequence[Measured]) -> None:
    """Seconds, and their ratio to the plain script's, which is the first row."""
    table = Table(title=f"{rows[0].images} photographs from files to SavedModel")
    for column in ("", "s", "of the script", "CPU-s", "of the script", "peak MB", "disk of source"):
        table.add_column(column, justify="left" if not column else "right")
    for row in rows:
        table.add_row(
            row.name,
            f"{row.seconds:.0f}",
            f"{row.seconds / rows[0].seconds:.2f}",
            f"{row.cpu_seconds:.0f}",
            f"{row.cpu_seconds / rows[0].cpu_seconds:.2f}",
            f"{row.peak_mb:,.0f}",
            f"{row.disk:.2f}" if row.disk else "",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())

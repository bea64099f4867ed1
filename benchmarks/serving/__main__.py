"""How fast the model server is: `python -m darkroom.benchmarks.serving`.

Four parts, each with everything it compares measured in one run on the same cores:

    digits: the recipe's model, one image a request: server over REST and gRPC, with and without
        batching, next to the model called in-process at its best batch size and to a plain Flask
        app that calls the same SavedModel, under Gunicorn with two workers.
    resnet50: the same where the model is the cost.
    overhead: a model that adds two numbers; requests per second and the server's CPU time.
    large_bodies: 60 MB of JSON, and how long others wait meanwhile.

The models are built once, into the folder of `--models`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from darkroom.benchmarks.serving import large_bodies, parts, report
from darkroom.benchmarks.serving.processes import BenchmarkError, run_module

PARTS: Final = {"digits": parts.digits, "resnet50": parts.resnet50, "overhead": parts.overhead,
                "large_bodies": large_bodies.large_bodies}  # fmt: skip
MODELS: Final = {"digits": "digits", "resnet50": "resnet50", "overhead": "adder",
                 "large_bodies": "counter"}  # fmt: skip
BUILD_SECONDS: Final = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table for each part, and writes JSON when asked to."""
    options = _parse(arguments)
    console = Console(width=120)
    notes = Console(stderr=True)
    with tempfile.TemporaryDirectory() as work:
        plan = _plan(options, Path(work), console, notes)
        try:
            plan.note("building the models that are not there yet")
            names = [MODELS[part] for part in options.parts]
            run_module(
                "darkroom.benchmarks.serving.models", str(plan.models), *names,
                timeout_seconds=BUILD_SECONDS,
            )  # fmt: skip
            results = {}
            for part in options.parts:
                results[part] = PARTS[part](plan)
                report.print_part(console, part, results[part])
        except BenchmarkError as error:
            print(f"darkroom.benchmarks.serving: {error}", file=sys.stderr)
            return 1
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="darkroom.benchmarks.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "parts", nargs="*", help=f"what to measure, all by default: {', '.join(PARTS)}"
    )
    parser.add_argument("--quick", action="store_true", help="a second a load: does it run at all?")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--max-batch-size", type=int, default=64)
    parser.add_argument("--batch-timeout-micros", type=int, default=0)
    parser.add_argument("--num-batch-threads", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="where a server's time goes")
    parser.add_argument("--models", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args(arguments)
    options.parts = options.parts or list(PARTS)
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"{', '.join(unknown)}: no such part; choose from {', '.join(PARTS)}")
    return options


def _plan(options: argparse.Namespace, work: Path, console: Console, notes: Console) -> parts.Plan:
    quick = options.quick
    return parts.Plan(
        models=options.models.resolve(),
        work=work,
        seconds=1.0 if quick else options.seconds,
        warm_up_seconds=0.5 if quick else 2.0,
        limit_seconds=0.2 if quick else 1.5,
        batch_size=options.max_batch_size,
        batch_micros=options.batch_timeout_micros,
        batch_threads=options.num_batch_threads,
        profile=options.profile,
        note=lambda text: notes.print(f"[dim]{text}[/dim]"),
        show=lambda row: console.print(escape(report.describe_row(row)), highlight=False),
    )


if __name__ == "__main__":
    sys.exit(main())

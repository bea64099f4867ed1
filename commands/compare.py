"""`darkroom compare RUN RUN`: two runs side by side, on the terminal and as a page."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkroom.commands.options import add_json, add_runs_folder
from darkroom.commands.tables import print_table

if TYPE_CHECKING:
    from darkroom.components.run_report.comparison import Answers, Comparison, Side
    from darkroom.runner.runs import Run

HELP = "lay two runs side by side: metrics, classes, images that they answer differently, recipes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("first", metavar="RUN", help="a run, usually the older")
    parser.add_argument("second", metavar="RUN", help="another")
    parser.add_argument(
        "--output", type=Path, metavar="FILE",
        help="the page (default: compare-<first run>.html in the second run's folder)",
    )  # fmt: skip
    add_runs_folder(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Prints what differs, and writes the page."""
    from darkroom.runner.runs import find_run
    from darkroom.runner.session import RunError
    from darkroom.storage.whole_files import replace_text

    first, second = (find_run(options.runs, name) for name in (options.first, options.second))
    for each in (first, second):
        if not each.summary:
            raise RunError(f"run {each.name} is {each.status}: it has no summary to compare")
    from darkroom.components.run_report.comparison import Comparison, render_comparison

    answers, missing = _ask(first, second)
    comparison = Comparison(_side(first), _side(second), answers, missing)
    name = f"compare-{first.pipeline}-{first.place.run_id}.html"
    page = options.output or second.place.folder / name
    replace_text(page, render_comparison(comparison))
    if options.json:
        print(json.dumps(_to_json(comparison, page), indent=2))
    else:
        _show(comparison, page)
    return 0


def _side(run: "Run") -> "Side":
    from darkroom.components.run_report.comparison import Side
    from darkroom.records.evaluation import METRICS_FILE, Evaluation

    folder = _artifact(run, "Evaluator", "evaluation_result")
    measured = folder and (folder / METRICS_FILE).is_file()
    return Side(run.name, run.summary, Evaluation.read(folder) if folder and measured else None)


def _ask(first: "Run", second: "Run") -> "tuple[Answers | None, str]":
    """What both models say of the second run's images, or why that cannot be had."""
    examples = _artifact(second, "ImageExampleGen", "examples")
    models = [_artifact(each, "Trainer", "model") for each in (first, second)]
    if examples is None or None in models:
        return None, "a model or the images are not there any more"
    from darkroom.components.example_images import iterate_folder
    from darkroom.components.model_artifact import SERVING_MODEL
    from darkroom.components.run_report.comparison import compare_answers
    from darkroom.components.run_report.mistakes import load_predictor
    from darkroom.runner.output import logged_to
    from darkroom.runner.terminal import Terminal

    with (
        logged_to(Path("/dev/null")) as stream,
        Terminal(stream).doing("loading TensorFlow, and asking both models"),
    ):
        predictors = [load_predictor(model / SERVING_MODEL) for model in models if model]
        test = examples / "Split-test"
        judged = test if test.is_dir() else examples / "Split-eval"
        return compare_answers(iterate_folder(judged), *predictors), ""


def _artifact(run: "Run", node: str, key: str) -> Path | None:
    """The folder of what a node made in a run, if it is there still."""
    uris = run.summary.get("artifacts", {}).get(node, {}).get(key, [])
    return next((Path(uri) for uri in uris if Path(uri).is_dir()), None)


def _to_json(comparison: "Comparison", page: Path) -> dict[str, Any]:
    answers = comparison.answers
    return {
        "runs": [comparison.first.name, comparison.second.name],
        "metrics": [comparison.overall.baseline, comparison.overall.candidate],
        "accuracy_intervals": [comparison.first.interval, comparison.second.interval],
        "recipe": {field: [before, now] for field, before, now in comparison.recipe},
        "answers": None if answers is None else asdict(answers) | {"chance": answers.chance},
        "page": str(page),
    }


def _show(comparison: "Comparison", page: Path) -> None:
    from darkroom.components.run_report.wording import format_interval

    overall = comparison.overall
    rows = [
        (name, (overall.baseline or {}).get(name), value)
        for name, value in overall.candidate.items()
        if name != "example_count"
    ]
    print_table(("metric", comparison.first.name, comparison.second.name), rows)
    between = [format_interval(side.interval) for side in (comparison.first, comparison.second)]
    if all(between):
        print(f"accuracy  {between[0]} and {between[1]}, at 95 %")
    for field, before, now in comparison.recipe:
        print(f"recipe    {field}: {before} → {now}")
    if answers := comparison.answers:
        print(
            f"answers   of {answers.images} images the first alone is right on "
            f"{answers.first_only}, the second alone on {answers.second_only} "
            f"(chance of that among equals: {answers.chance:.3f})"
        )
    print(f"page      {page}")

"""`make demo`: the main job on real input, from PNG files to answers over REST and gRPC."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from darkroom.commands.served_model import ServedModel, serve_model
from darkroom.recipe import load_recipe
from darkroom.runner.summary import SUMMARY_FILE
from darkroom.serving.client import GrpcClient, Prediction, RestClient
from darkroom.storage.whole_files import replace_text

ROOT = Path(__file__).resolve().parent.parent
RECIPE = Path("configs/digits.yaml")
IMAGES = 3


def main() -> int:
    """Runs the demonstration in the project's folder; returns the exit code."""
    started = time.perf_counter()
    _run("darkroom.samples.digits", "--output", "data/digits")
    code = subprocess.run([sys.executable, "pipeline.py", "--config", str(RECIPE)], cwd=ROOT)
    if code.returncode:
        return code.returncode
    recipe = load_recipe(ROOT / RECIPE)
    latest = ROOT / recipe.runs_folder / recipe.name / "latest" / SUMMARY_FILE
    summary = json.loads(latest.read_text())
    log = latest.with_name("serve.log")
    destination = str(ROOT / recipe.push.destination)
    with serve_model(destination, recipe.push.model_name, log) as server:
        answers = ask(
            server, recipe.push.model_name, sorted((ROOT / recipe.data.path).rglob("*.png"))
        )
    replace_text(latest.resolve(), json.dumps(summary | answers, indent=2) + "\n")
    _show(answers)
    agree = _labels(answers["rest"]) == _labels(answers["grpc"])
    print(f"demo      {'REST and gRPC agree' if agree else 'REST and gRPC DISAGREE'}", end="")
    print(f"; {time.perf_counter() - started:.0f} s in all")
    return 0 if agree else 1


def ask(server: ServedModel, model_name: str, images: Sequence[Path]) -> dict[str, Any]:
    """Asks for some of the images over both protocols.

    Returns:
        `rest` and `grpc`: a list of `{"file", "label", "score", "milliseconds"}` each.
    """
    step = max(1, len(images) // IMAGES)
    chosen = images[::step][:IMAGES]
    rest = RestClient(server.rest, model_name)
    grpc = GrpcClient(server.grpc, model_name)
    with rest, grpc:
        return {
            "rest": [_ask_one(rest.predict, path) for path in chosen],
            "grpc": [_ask_one(grpc.predict, path) for path in chosen],
        }


def _ask_one(predict: Callable[[list[bytes]], list[Prediction]], path: Path) -> dict[str, Any]:
    encoded = path.read_bytes()
    started = time.perf_counter()
    (prediction,) = predict([encoded])
    return {
        "file": str(path.relative_to(ROOT)),
        "label": prediction.label,
        "score": round(prediction.score, 6),
        "milliseconds": round((time.perf_counter() - started) * 1000, 2),
    }


def _show(answers: dict[str, Any]) -> None:
    for protocol, name in (("rest", "REST"), ("grpc", "gRPC")):
        for answer in answers[protocol]:
            print(
                f"{name:<10}{answer['file']} is {answer['label']!r}, "
                f"score {answer['score']:.4f}, {answer['milliseconds']:.1f} ms"
            )


def _labels(answers: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(answer["label"], round(answer["score"], 4)) for answer in answers]


def _run(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())

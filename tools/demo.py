"""`make demo`: the main job on real input, from PNG files to answers over REST and gRPC."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from darkroom.recipe import load_recipe
from darkroom.runner.summary import SUMMARY_FILE
from darkroom.serving.client import GrpcClient, Prediction, RestClient
from darkroom.storage.whole_files import replace_text

ROOT = Path(__file__).resolve().parent.parent
RECIPE = Path("configs/digits.yaml")
IMAGES = 3
START_SECONDS = 120.0
STOP_SECONDS = 30.0


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
    with serve(ROOT / recipe.push.destination, recipe.push.model_name) as ports:
        answers = ask(
            ports, recipe.push.model_name, sorted((ROOT / recipe.data.path).rglob("*.png"))
        )
    replace_text(latest.resolve(), json.dumps(summary | answers, indent=2) + "\n")
    _show(answers)
    agree = _labels(answers["rest"]) == _labels(answers["grpc"])
    print(f"demo      {'REST and gRPC agree' if agree else 'REST and gRPC DISAGREE'}", end="")
    print(f"; {time.perf_counter() - started:.0f} s in all")
    return 0 if agree else 1


@contextlib.contextmanager
def serve(model_base_path: Path, model_name: str) -> Iterator[dict[str, int]]:
    """Runs the model server in a process of its own, on free loopback ports.

    Args:
        model_base_path: The serving folder.
        model_name: Name to serve it under.

    Yields:
        The ports, by `rest` and `grpc`.

    Raises:
        RuntimeError: The server did not answer in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, port_file = Path(folder) / "server.log", Path(folder) / "ports.json"
        command = [sys.executable, "-m", "darkroom.serving.model_server", "--host=127.0.0.1"]
        command += ["--port=0", "--rest_api_port=0", f"--port_file={port_file}"]
        command += [f"--model_name={model_name}", f"--model_base_path={model_base_path}"]
        with log.open("w") as output:
            server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _wait_for_ports(server, port_file, log)
        finally:
            server.terminate()
            try:
                server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def ask(ports: dict[str, int], model_name: str, images: Sequence[Path]) -> dict[str, Any]:
    """Asks for some of the images over both protocols.

    Returns:
        `rest` and `grpc`: a list of `{"file", "label", "score", "milliseconds"}` each.
    """
    step = max(1, len(images) // IMAGES)
    chosen = images[::step][:IMAGES]
    rest = RestClient(f"http://127.0.0.1:{ports['rest']}", model_name)
    grpc = GrpcClient(f"127.0.0.1:{ports['grpc']}", model_name)
    with rest, grpc:
        _wait_until_available(rest)
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


def _wait_for_ports(server: subprocess.Popen[bytes], port_file: Path, log: Path) -> dict[str, int]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if port_file.exists():
            return json.loads(port_file.read_text())
        time.sleep(0.1)
    raise RuntimeError(f"the model server did not start:\n{log.read_text()[-2000:]}")


def _wait_until_available(client: RestClient) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if any(status.state == "AVAILABLE" for status in client.get_status()):
            return
        time.sleep(0.1)
    raise RuntimeError("the model server did not load the model in time")


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

"""Compiles a recipe and drives the pipeline in containers of this machine; runs within the image.

Usage, by `darkroom.kubeflow.local`:
    python -m darkroom.kubeflow.local_driver < SETTINGS

KFP runs the steps and says what it does in words only: its lines that begin and end a step are
read, what the steps themselves print goes to a log file each.
"""

import contextlib
import functools
import io
import json
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from darkroom.components.nodes import NODES
from darkroom.components.run_report.data import Request
from darkroom.components.run_report.local_run import make_pages
from darkroom.kubeflow.executor_input import restore_artifacts
from darkroom.kubeflow.local import STEP_LABEL
from darkroom.recipe import parse_recipe
from darkroom.records.run import NodeResult
from darkroom.runner.interpreter import leave
from darkroom.runner.session import LOG_FILE, RunPlace, RunSession, captured, exit_code
from darkroom.runner.terminal import Terminal
from darkroom.storage.errors import first_line

if TYPE_CHECKING:
    import docker

PIPELINE_FILE: Final = "pipeline.yaml"
STEP_LOGS: Final = "steps"
_OUTPUT_FILE: Final = "executor_output.json"
_LAST_LINES: Final = 12
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_BEGINS: Final = re.compile(r" - INFO - Executing task '(.+)'$")
_ENDS: Final = re.compile(r" - INFO - Task '(.+)' finished with status SUCCESS$")
_ERROR: Final = "error: "


class StepStream(io.TextIOBase):
    """Standard output of a run: tells the session what the steps do.

    Args:
        nodes: Task to node.
        components: Component specifications by node.
    """

    def __init__(
        self,
        place: RunPlace,
        session: RunSession,
        nodes: Mapping[str, str],
        components: Mapping[str, Any],
    ) -> None:
        self._place = place
        self._session = session
        self._nodes = nodes
        self._components = components
        self._partial = ""
        self._log = (place.folder / LOG_FILE).open("a", encoding="utf-8")
        self._step_log: io.TextIOBase | None = None
        self._step = ""
        self._began = 0.0
        self._last: deque[str] = deque(maxlen=_LAST_LINES)

    def writable(self) -> bool:
        """Says that it is."""
        return True

    def write(self, text: str) -> int:
        """Takes what KFP and the steps print."""
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._take(_COLOUR.sub("", line))
        return len(text)

    @property
    def last_lines(self) -> list[str]:
        """What the step printed last."""
        return list(self._last)

    def fail(self, reason: str) -> None:
        """Records that the step which runs has failed."""
        if self._step:
            said = [line for line in self._last if line.startswith(_ERROR)]
            error = said[-1].removeprefix(_ERROR) if said else reason
            seconds = time.monotonic() - self._began
            trace = "\n".join(self._last)
            self._end(NodeResult(self._step, seconds, "failed", error, trace=trace))

    def _take(self, line: str) -> None:
        if begins := _BEGINS.search(line):
            self._begin(self._nodes[begins[1]])
        elif self._step and _ENDS.search(line):
            self._succeed()
        if self._step_log is None:
            self._log.write(line + "\n")
            self._log.flush()
            return
        # KFP indents what a step prints.
        line = line.removeprefix("    ")
        self._step_log.write(line + "\n")
        self._step_log.flush()
        if line.strip():
            self._last.append(line.rstrip())

    def _begin(self, node: str) -> None:
        self._step, self._began = node, time.monotonic()
        self._last.clear()
        folder = self._place.folder / STEP_LOGS
        folder.mkdir(exist_ok=True)
        self._step_log = (folder / f"{node}.log").open("w", encoding="utf-8")

    def _succeed(self) -> None:
        seconds = time.monotonic() - self._began
        found = list(self._place.artifacts.glob(f"*/{NODES[self._step].task_name}"))
        path = max(found, default=None, key=lambda folder: folder.stat().st_mtime_ns)
        if path is None or not (path / _OUTPUT_FILE).is_file():
            # KFP takes a container that is gone before it is asked for one that succeeded.
            node = self._step
            self.fail("the step has left no outputs")
            raise RuntimeError(f"{node} has left no outputs")
        component = self._components[self._step]
        outputs = restore_artifacts(
            json.loads((path / _OUTPUT_FILE).read_text()), component["outputDefinitions"]
        )
        self._end(NodeResult(self._step, seconds, "run", outputs=outputs))

    def _end(self, result: NodeResult) -> None:
        if self._step_log is not None:
            self._step_log.close()
        self._step, self._step_log = "", None
        self._session.node_ended(result)


def drive(settings: Mapping[str, Any]) -> int:
    """Runs the pipeline and returns the exit code."""
    place = RunPlace(Path(settings["home"]), settings["run_id"])
    terminal = Terminal(sys.stdout)
    recipe = settings["facts"]["recipe"]
    pages = functools.partial(make_pages, request=Request(recipe["name"], recipe))
    session = RunSession(place, terminal, settings["facts"], pages)
    session.started(settings["rows"], settings["classes"], settings["notes"])
    try:
        specification = _compile(settings, place)
    except (KeyboardInterrupt, SystemExit):
        return _end(session, "interrupted")
    except Exception as reason:
        return _end(session, first_line(f"compiling: {type(reason).__name__}: {reason}"))
    tasks = specification["root"]["dag"]["tasks"]
    names = {node.task_name: name for name, node in NODES.items()}
    nodes = {key: names[key] for key in tasks}
    components = {
        nodes[key]: specification["components"][task["componentRef"]["name"]]
        for key, task in tasks.items()
    }
    session.expect(list(nodes.values()))
    stream = StepStream(place, session, nodes, components)
    error = ""
    with _engine() as engine:
        try:
            with contextlib.redirect_stdout(stream):
                _run_with_kfp(settings, place)
        except (KeyboardInterrupt, SystemExit):
            stream.fail("stopped")
            error = "interrupted"
        except Exception as reason:
            stream.fail(first_line(f"{type(reason).__name__}: {reason}"))
            for line in stream.last_lines:
                terminal.say(f"  {line}")
        finally:
            _stop_containers(engine, f"{STEP_LABEL}={place.home}")
    return _end(session, error)


def _compile(settings: Mapping[str, Any], place: RunPlace) -> dict[str, Any]:
    """Writes the YAML file that Kubeflow would get, and returns its specification."""
    with captured(place, verbose=False):
        from darkroom.kubeflow.compile import compile_recipe

        recipe = parse_recipe(settings["facts"]["recipe"])
        compiled = compile_recipe(recipe, settings["image"], str(place.artifacts))
    compiled.write(place.folder / PIPELINE_FILE)
    return compiled.specification


def _end(session: RunSession, error: str) -> int:
    return exit_code(session.finish(error)["status"])


def _run_with_kfp(settings: Mapping[str, Any], place: RunPlace) -> None:
    import docker
    from kfp import components, local

    options: dict[str, Any] = {}
    if settings["gpus"]:
        options["device_requests"] = [docker.types.DeviceRequest(count=-1, capabilities=[["gpu"]])]
    runner = local.DockerRunner(
        mounts=[
            docker.types.Mount(
                mount["folder"], mount["folder"], type="bind", read_only=mount["read_only"]
            )
            for mount in settings["mounts"]
        ],
        user=settings["user"],
        environment=settings["environment"],
        labels={STEP_LABEL: str(place.home)},
        init=True,
        **options,
    )
    local.init(runner, pipeline_root=str(place.artifacts))
    pipeline = components.load_component_from_file(str(place.folder / PIPELINE_FILE))
    pipeline(**settings["arguments"])


@contextlib.contextmanager
def _engine() -> Iterator["docker.DockerClient"]:
    import docker

    client = docker.from_env()
    try:
        yield client
    finally:
        client.close()


def _stop_containers(engine: "docker.DockerClient", label: str) -> None:
    for container in engine.containers.list(filters={"label": label}):
        container.stop(timeout=10)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> int:
    """Reads the settings and runs the pipeline."""
    signal.signal(signal.SIGTERM, _interrupt)
    return drive(json.load(sys.stdin))


if __name__ == "__main__":
    leave(main())

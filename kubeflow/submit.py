"""Submits a recipe to open-source Kubeflow Pipelines.

Usage:
    python -m darkroom.kubeflow.submit --host https://kubeflow.example.com/pipeline \
        --config configs/digits.yaml --image IMAGE --root s3://bucket/digits --wait

Exit codes: 0 submitted, or with --wait pushed, unchanged, or succeeded where it cannot be found out
which; 1 failed or cancelled; 2 bad recipe or refused request; 3 not blessed; 4 withdrawn; 130
stopped waiting.
"""

import argparse
import functools
import time
import uuid
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

from darkroom.components.errors import ComponentError
from darkroom.components.nodes import NODES, STATES
from darkroom.kubeflow.parameters import run_arguments
from darkroom.kubeflow.server.access import ApiError
from darkroom.kubeflow.server.api import Api
from darkroom.kubeflow.server.rest import PATIENCE, Patience
from darkroom.kubeflow.server.submission import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    Plan,
    add_job_options,
    connect,
    create_parser,
    find_deadline,
    prepare,
    read_plan,
    run_command,
    say,
)
from darkroom.kubeflow.server.watch import Outcome, watch_run
from darkroom.pipeline import InputState
from darkroom.recipe import Recipe
from darkroom.runner.interpreter import leave, quiet
from darkroom.runner.session import exit_code
from darkroom.storage.errors import StorageError

POLL_SECONDS: Final = 5.0


def main(
    arguments: Sequence[str] | None = None,
    patience: Patience = PATIENCE,
    interval: float = POLL_SECONDS,
) -> int:
    """Reads the command line, submits, waits if asked, returns the exit code."""
    options = _parse(arguments)
    return run_command(lambda: _submit(options, patience, interval))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = create_parser(
        "Submits a recipe to Kubeflow Pipelines.",
        "Exit codes: 0 submitted, pushed or unchanged, 1 failed, 2 bad recipe or refused, 3 not "
        "blessed, 4 withdrawn, 130 stopped waiting.",
    )
    add_job_options(parser)
    parser.add_argument("--run-name", default="", help="name of the run (else recipe and time)")
    parser.add_argument("--wait", action="store_true", help="wait for the end of the run")
    parser.add_argument(
        "--timeout", type=float, help="seconds after which to give up; the run goes on"
    )
    return parser.parse_args(arguments)


def _submit(options: argparse.Namespace, patience: Patience, interval: float) -> int:
    plan = read_plan(options)
    deadline = find_deadline(options.timeout)
    api = connect(options, patience, deadline)
    state = read_state(plan.changed)
    values = run_arguments(plan.changed) | state._asdict()
    job = prepare(api, plan, values, fingerprinted=all(state))
    mark = uuid.uuid4().hex
    name = options.run_name or f"{plan.recipe.name}-{time.strftime('%Y%m%d-%H%M%S')}-{mark[:4]}"
    run_id = api.create_run(job, name, f"Darkroom, submission {mark}")
    address = f"{api.host}/#/runs/details/{run_id}"
    say(f"run        {name}")
    say(f"address    {address}")
    if not options.wait:
        return 0
    return _wait(api, plan, run_id, address, interval, deadline)


def read_state(recipe: Recipe) -> InputState:
    """Finds out what the data and the serving folder hold, and says where it cannot.

    A relative path is another place in a container, and a folder that is not here may be there; of
    both only the run knows. An absolute path is taken for the same place here and there.
    """
    found, unread = {}, []
    with quiet():
        for state in STATES:
            location = str(attrgetter(state.location)(recipe))
            found[state.name], reason = _try(location, functools.partial(state.read, recipe))
            if reason:
                unread.append(f"{state.location} {location!r} ({reason})")
    if unread:
        readers = " and ".join(node.name for node in NODES.values() if node.state)
        say(
            f"cannot read {' and '.join(unread)} from here: the run reads it, and {readers} do not "
            "come from the cache"
        )
    return InputState(**found)


def _try(location: str, read: Callable[[], str]) -> tuple[str, str]:
    """Returns what was read and nothing, or nothing and why it cannot be."""
    if "://" not in location:
        if not Path(location).is_absolute():
            return "", "a relative path is another place in a container"
        if not Path(location).is_dir():
            return "", "no such folder here"
    try:
        return read(), ""
    except (ComponentError, StorageError, OSError) as error:
        return "", " ".join(str(error).split())


def _wait(api: Api, plan: Plan, run_id: str, address: str, interval: float, deadline: float) -> int:
    steps = {node.task_name for node in NODES.values()}
    try:
        outcome = watch_run(api, run_id, steps, say, interval, deadline)
        return _conclude(api, run_id, outcome)
    except KeyboardInterrupt:
        say(f"stopped waiting; the run goes on: {address}")
        return EXIT_INTERRUPTED
    except ApiError as error:
        say(f"stopped waiting; the run goes on: {address}")
        raise error


def _conclude(api: Api, run_id: str, outcome: Outcome) -> int:
    if outcome.state in ("FAILED", "CANCELED"):
        where = f" in {', '.join(outcome.failed)}" if outcome.failed else ""
        reason = f": {outcome.reason}" if outcome.reason else ""
        say(f"verdict    {outcome.state.lower()}{where}{reason}")
        return EXIT_FAILED
    try:
        push = api.find_push(run_id)
        unknown = "ML Metadata does not know the run's Pusher"
    except ApiError as error:
        push, unknown = None, str(error)
    if push is None:
        say(f"verdict    succeeded; pushed or not is in the run's report ({unknown})")
        return 0
    if push.state in ("not_blessed", "withdrawn"):
        say(f"verdict    {push.state.replace('_', ' ')}: nothing was pushed ({push.reason})")
        return exit_code(push.state)
    place = f" is in {push.destination}" if push.destination else ""
    say(f"verdict    {push.state}: version {push.version}{place}")
    return 0


if __name__ == "__main__":
    leave(main())

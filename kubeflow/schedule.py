"""Runs a recipe on open-source Kubeflow Pipelines again and again.

Usage:
    python -m darkroom.kubeflow.schedule --host URL --config FILE --image IMAGE --root URI \
        --name nightly --cron "0 0 3 * * *"
    python -m darkroom.kubeflow.schedule --host URL --config FILE --list
    python -m darkroom.kubeflow.schedule --host URL --config FILE --name nightly --delete

A schedule is known by its name within the experiment. Kubeflow cannot change one: a new one is made
and then the old one deleted, so that no time is missed. What a stopped update left behind, the next
one clears. Each run reads the data and the served version when it gets there.
"""

import argparse
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import kfp_server_api.models as models

from darkroom.kubeflow.parameters import run_arguments
from darkroom.kubeflow.server.api import Api, Job
from darkroom.kubeflow.server.cron import check_cron, read_interval
from darkroom.kubeflow.server.rest import PATIENCE, Patience
from darkroom.kubeflow.server.submission import (
    add_job_options,
    connect,
    create_parser,
    prepare,
    read_plan,
    run_command,
    say,
)
from darkroom.pipeline import InputState
from darkroom.recipe import ConfigError, load_recipe
from darkroom.runner.interpreter import leave

_MOST_CONCURRENT: Final = 10
"""The server takes no more."""


def main(arguments: Sequence[str] | None = None, patience: Patience = PATIENCE) -> int:
    """Reads the command line, does what it asks for, returns the exit code."""
    options = _parse(arguments)
    return run_command(lambda: _schedule(options, patience))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = create_parser(
        "Schedules a recipe on Kubeflow Pipelines.",
        "Exit codes: 0 done, 1 no good answer, 2 bad recipe or refused.",
    )
    add_job_options(parser, is_required=False)
    parser.add_argument("--name", default="", help="name of the schedule")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--cron", help='six fields, UTC: "0 0 3 * * *" is every night at three')
    when.add_argument("--every", help="interval, such as 30m, 6h or 1d")
    when.add_argument("--delete", action="store_true", help="delete the schedule of this name")
    when.add_argument("--list", action="store_true", help="list the schedules of the experiment")
    parser.add_argument(
        "--max-concurrency", type=int, default=1, help="runs at one time, 1 to 10 (default 1)"
    )
    parser.add_argument(
        "--no-catch-up", action="store_true", help="times missed in a pause are not made up for"
    )
    parser.add_argument("--paused", action="store_true", help="create it switched off")
    return parser.parse_args(arguments)


def _schedule(options: argparse.Namespace, patience: Patience) -> int:
    if options.list or options.delete:
        return _tend(options, patience)
    _check_given(options, "name", "image", "root")
    settings = _read_settings(options)
    plan = read_plan(options)
    api = connect(options, patience)
    arguments = run_arguments(plan.changed) | InputState()._asdict()
    job = prepare(api, plan, arguments, fingerprinted=False)
    identifier, verb = put_schedule(api, job, options.name, settings)
    say(f"schedule   {options.name} {verb}: {_describe_trigger(settings['trigger'])}")
    say(f"address    {api.host}/#/recurringrun/details/{identifier}")
    return 0


def _check_given(options: argparse.Namespace, *names: str) -> None:
    for name in names:
        if not getattr(options, name):
            raise ConfigError(f"--{name}: is missing; give it")


def _read_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the fields of a `V2beta1RecurringRun` that say when it runs."""
    if options.cron is not None:
        cron = models.V2beta1CronSchedule(cron=check_cron(options.cron))
        trigger = models.V2beta1Trigger(cron_schedule=cron)
    elif options.every is not None:
        seconds = str(read_interval(options.every))
        every = models.V2beta1PeriodicSchedule(interval_second=seconds)
        trigger = models.V2beta1Trigger(periodic_schedule=every)
    else:
        raise ConfigError("--cron: is missing; give it, or --every, --list or --delete")
    if not 1 <= options.max_concurrency <= _MOST_CONCURRENT:
        raise ConfigError(
            f"--max-concurrency: {options.max_concurrency} does not do; give 1 to "
            f"{_MOST_CONCURRENT}"
        )
    return {
        "trigger": trigger,
        "max_concurrency": str(options.max_concurrency),
        "no_catchup": options.no_catch_up,
        "mode": "DISABLE" if options.paused else "ENABLE",
    }


def put_schedule(api: Api, job: Job, name: str, settings: Mapping[str, Any]) -> tuple[str, str]:
    """Creates a schedule, or puts it in the place of the one of that name.

    Args:
        settings: When: fields of `V2beta1RecurringRun`.

    Returns:
        Its id, and what was done, in a word.

    Raises:
        ApiError: A request failed, in the end; the next call mends what is half done.
    """
    definition = f"Darkroom, schedule {_hash(job, settings)}"
    mark = f"{definition}, {uuid.uuid4().hex}"
    status = "DISABLED" if settings["mode"] == "DISABLE" else "ENABLED"
    before = api.list_schedules(job.experiment, name)
    # Somebody may have switched it on or off by hand; then it is another.
    same = [
        item.recurring_run_id
        for item in before
        if (item.description or "").startswith(definition) and item.status == status
    ]
    kept = same[0] if same else api.create_schedule(job, name, mark, settings)
    for item in before:
        if item.recurring_run_id != kept:
            api.delete_schedule(item.recurring_run_id)
    return kept, "unchanged" if same else "updated" if before else "created"


def _hash(job: Job, settings: Mapping[str, Any]) -> str:
    content = {
        "version": job.version.version,
        "arguments": dict(job.arguments),
        "root": job.root,
        "account": job.service_account,
        "settings": {key: str(value) for key, value in settings.items()},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _tend(options: argparse.Namespace, patience: Patience) -> int:
    """Lists schedules, or deletes one."""
    if options.delete:
        _check_given(options, "name")
    recipe = load_recipe(Path(options.config))
    api = connect(options, patience)
    name = options.experiment or recipe.name
    experiment = api.find_experiment(name)
    found = api.list_schedules(experiment, options.name) if experiment else []
    for item in found:
        if options.delete:
            api.delete_schedule(item.recurring_run_id)
            say(f"deleted    {item.display_name}, {item.recurring_run_id}")
        else:
            status = str(item.status or "").lower()
            say(f"{item.display_name:<20} {status:<9} {_describe_trigger(item.trigger)}")
    if not found:
        say(f"experiment {name!r} has no schedule" + (f" {options.name!r}" * bool(options.name)))
    return 0


def _describe_trigger(trigger: Any) -> str:
    if trigger and trigger.cron_schedule and trigger.cron_schedule.cron:
        return f"cron {trigger.cron_schedule.cron} (UTC)"
    if trigger and trigger.periodic_schedule:
        return f"every {trigger.periodic_schedule.interval_second} s"
    return "no trigger"


if __name__ == "__main__":
    leave(main())

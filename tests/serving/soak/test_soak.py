"""Everything at once, for a while: `DARKROOM_SOAK_SECONDS` says how long."""

import os
import threading
import time
from concurrent import futures

import pytest

from darkroom.tests.serving.soak.callers import TARGETS, create_askers
from darkroom.tests.serving.soak.changes import Operator
from darkroom.tests.serving.soak.ledger import Ledger
from darkroom.tests.serving.soak.models import BALLAST_BYTES
from darkroom.tests.serving.soak.process import Usage, count_held, serving, unexpected_lines
from darkroom.tests.serving.soak.strangers import GrpcStranger, RestStranger

SECONDS = float(os.environ.get("DARKROOM_SOAK_SECONDS", "20"))
GROWTH_BYTES = 4 * BALLAST_BYTES
"""A minute loads many more versions than that."""
SETTLE_SECONDS = 60
BATCHING = """
max_batch_size { value: 32 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 1000 }
num_batch_threads { value: 2 }
"""
EXPECTED = (
    # What the operator breaks, and what is wrong in the configuration file.
    r"model latest: version 90 does not load",
    r"models\.config",
)

pytestmark = pytest.mark.e2e


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def operator(tmp_path, templates, ledger):
    return Operator(tmp_path / "models", templates, ledger)


@pytest.fixture
def process(tmp_path, operator):
    (tmp_path / "batching").write_text(BATCHING)
    with serving(
        tmp_path,
        f"--model_config_file={operator.config_file}",
        "--model_config_file_poll_wait_seconds=0.2",
        "--file_system_poll_wait_seconds=0.2",
        "--max_num_load_retries=0",
        "--enable_batching",
        f"--batching_parameters_file={tmp_path / 'batching'}",
        "--client_timeout_seconds=5",
        "--max_request_bytes=4000000",
    ) as process:
        operator.begin(process)
        yield process


def run_all(process, operator, ledger, seconds):
    """Callers, strangers and operator together; returns them when the time is over."""
    stopping = threading.Event()
    askers = create_askers(process, TARGETS, ledger, stopping)
    strangers = [RestStranger(process, stopping, seed) for seed in (1, 2)]
    strangers.append(GrpcStranger(process, stopping, 3))
    usage = Usage(process.info)
    threads = [*askers, *strangers, usage.start(stopping)]
    for thread in (*askers, *strangers):
        thread.start()
    with futures.ThreadPoolExecutor(1) as executor:
        changes = executor.submit(operator.work, process, stopping)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not changes.done():
            if not process.is_running() or any(t.problem for t in (*askers, *strangers)):
                break
            time.sleep(0.2)
        stopping.set()
        for thread in threads:
            thread.join(70)
    # The first problem is told before what came of it.
    problems = [thread.problem for thread in (*askers, *strangers) if thread.problem]
    assert process.is_running(), process.log()[-3000:]
    assert not problems, "\n".join(problems)
    changes.result()
    return askers, strangers, usage


def wait_until_settled(info, before):
    """Open files and threads go back to what they were."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        held = count_held(info)
        if all(now <= then + 4 for now, then in zip(held, before, strict=True)):
            return
        time.sleep(0.5)
    raise AssertionError(f"open files and threads: {before} before, {held} after")


def test_every_valid_request_is_answered_while_all_else_happens(process, operator, ledger):
    # A first round starts every thread and opens every file that there will be.
    run_all(process, operator, ledger, seconds=min(10, SECONDS / 4))
    time.sleep(6)
    before = count_held(process.info)

    askers, strangers, usage = run_all(process, operator, ledger, SECONDS)

    assert operator.rounds >= 1
    assert all(sum(asker.seen.values()) > SECONDS for asker in askers)
    assert all(stranger.count > SECONDS for stranger in strangers)
    seen = {version for asker in askers for version in asker.seen}
    assert seen >= {0, 1, 2, 3}
    assert usage.find_growth() < GROWTH_BYTES, usage.rss
    wait_until_settled(process.info, before)
    assert unexpected_lines(process.log(), *EXPECTED) == []
    assert process.terminate() == 0

import contextlib

import pytest

from darkroom.tests.serving.operations import calculator
from darkroom.tests.serving.operations.running_servers import (
    Caller,
    ask_all,
    create_server,
    write_config,
    write_logging,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("operations")
    calculator.save_calculator(folder / "model" / "1")
    (folder / "models.config").write_text(write_config(folder, write_logging(folder / "log")))
    (folder / "monitoring.config").write_text("prometheus_config { enable: true }")
    (folder / "batching.config").write_text(
        'thread_pool_name { value: "workers" } allowed_batch_sizes: 4 max_batch_size { value: 4 }'
    )
    return folder


@pytest.fixture(scope="module")
def caller(folder):
    """Has asked a known series of requests."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            create_server(
                folder, enable_batching=True, batching_parameters_file=folder / "batching.config"
            )
        )
        caller = Caller(server, stack)
        ask_all(caller)
        yield caller

"""The server is killed under load and started again on the same ports."""

import threading
import time

import numpy as np
import pytest

from darkroom.serving.client import GrpcClient, RestClient, RetryPolicy
from darkroom.tests.serving.soak.models import STEP, Folder
from darkroom.tests.serving.soak.process import Process, unexpected_lines

PATIENT = RetryPolicy(attempts=1000, first_delay_seconds=0.1, max_delay_seconds=1)
SECONDS = 180

pytestmark = pytest.mark.e2e


class Asker(threading.Thread):
    """Asks one thing after the other, each once; keeps the answers."""

    def __init__(self, client, stopping):
        super().__init__(daemon=True)
        self._client, self._stopping = client, stopping
        self.asked, self.answers, self.problem = 0, [], None

    def run(self):
        try:
            while not self._stopping.is_set():
                number = np.float32([self.asked % STEP])
                self.asked += 1
                self.answers.append(float(self._client.predict_raw({"x": number})["value"][0]))
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"


@pytest.fixture
def start(tmp_path, templates):
    folder = Folder(tmp_path / "latest", templates)
    folder.push(2)
    started = []

    def start(ports=(0, 0)):
        flags = ("--model_name=latest", f"--model_base_path={folder.path}")
        started.append(Process(tmp_path, *flags, ports=ports))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def test_killed_server_serves_again_and_clients_that_retry_lose_nothing(start):
    first = start()
    stopping = threading.Event()
    clients = [
        kind(address, "latest", timeout_seconds=SECONDS, retry=PATIENT)
        for kind, address in ((RestClient, first.rest_url), (GrpcClient, first.grpc_address)) * 2
    ]
    askers = [Asker(client, stopping) for client in clients]
    for asker in askers:
        asker.start()
    wait_until_all_have(askers, answers=20)

    first.kill()
    second = start(ports=(first.rest_port, first.grpc_port))

    assert second.start_seconds < 3 * first.start_seconds + 5
    wait_until_all_have(askers, answers=20)
    stopping.set()
    for asker in askers:
        asker.join(SECONDS)
    assert [asker.problem for asker in askers] == [None] * len(askers)
    for asker in askers:
        expected = [number % STEP + 2 * STEP for number in range(asker.asked)]
        assert asker.answers == expected
    for client in clients:
        client.close()
    assert unexpected_lines(second.log()) == []
    assert second.terminate() == 0


def wait_until_all_have(askers, answers):
    """Waits until each has as many answers more."""
    wanted = [len(asker.answers) + answers for asker in askers]
    deadline = time.monotonic() + SECONDS
    while any(len(a.answers) < w and not a.problem for a, w in zip(askers, wanted, strict=True)):
        assert time.monotonic() < deadline
        time.sleep(0.05)

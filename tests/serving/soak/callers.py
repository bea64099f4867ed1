"""Clients that ask what is right, and check what they are told."""

import base64
import http.client
import json
import threading
import time

import numpy as np

from darkroom.serving.client import GrpcClient, RequestError, RetryPolicy, Target
from darkroom.tests.serving.soak.ledger import ABSENT
from darkroom.tests.serving.soak.models import STEP

NO_RETRY = RetryPolicy(attempts=1)
PAUSE_SECONDS = 0.005
NOT_FOUND = ("NOT_FOUND", "HTTP 404")


class GrpcCaller:
    """Asks one target over gRPC."""

    def __init__(self, process, target):
        self._client = GrpcClient(process.grpc_address, target, timeout_seconds=60, retry=NO_RETRY)

    def ask(self, signature_name, inputs):
        return self._client.predict_raw(inputs, signature_name)["value"]

    def close(self):
        self._client.close()


class RestCaller:
    """Asks one target over REST, in rows, on one connection; with its own eyes, so that nothing is
    tried again behind the test's back."""

    def __init__(self, process, target):
        self._address = ("127.0.0.1", process.rest_port)
        self._connection = None
        path = f"/v1/models/{target.model}"
        if target.version is not None:
            path += f"/versions/{target.version}"
        if target.label is not None:
            path += f"/labels/{target.label}"
        self._path = path + ":predict"

    def ask(self, signature_name, inputs):
        ((name, values),) = inputs.items()
        rows = [_to_json(value) for value in values.tolist()]
        body = {"signature_name": signature_name, "instances": [{name: row} for row in rows]}
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self._address, timeout=60)
        self._connection.request("POST", self._path, json.dumps(body))
        response = self._connection.getresponse()
        document = json.loads(response.read())
        if response.status != 200:
            raise RequestError("server", f"HTTP {response.status}", document["error"])
        return np.array(document["predictions"])

    def close(self):
        if self._connection is not None:
            self._connection.close()


def _to_json(value):
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


class Asker(threading.Thread):
    """Asks without end; the first thing that is wrong ends it.

    Attributes:
        seen: Version to number of answers.
        problem: What was wrong, or None.
    """

    def __init__(self, caller, target, ledger, stopping, seed):
        super().__init__(daemon=True, name=f"ask {target} {seed}")
        self._caller, self._target = caller, target
        self._ledger, self._stopping = ledger, stopping
        self._random = np.random.default_rng(seed)
        self.seen, self.problem = {}, None

    def run(self):
        try:
            while not self._stopping.wait(PAUSE_SECONDS):
                self._ask_once()
        except Exception as error:
            self.problem = f"{self.name}: {type(error).__name__}: {error}"
        finally:
            self._caller.close()

    def _ask_once(self):
        signature_name, inputs, expected = self._draw()
        began = time.monotonic()
        version = self._ask(signature_name, inputs, expected)
        allowed = self._ledger.find_allowed(self._target, began, time.monotonic())
        assert version in allowed, f"answered by {version}, available: {sorted(allowed)}"
        self.seen[version] = self.seen.get(version, 0) + 1

    def _ask(self, signature_name, inputs, expected):
        """Returns the version that answered; checks all else of the answer."""
        try:
            values = self._caller.ask(signature_name, inputs)
        except RequestError as error:
            assert error.code in NOT_FOUND, error
            return ABSENT
        version = int(values[0]) // STEP
        np.testing.assert_array_equal(values, expected + version * STEP)
        return version

    def _draw(self):
        count = int(self._random.integers(1, 5))
        if self._random.random() < 0.5:
            numbers = self._random.integers(0, STEP, count).astype(np.float32)
            return "serving_default", {"x": numbers}, numbers
        sizes = self._random.integers(0, STEP, count)
        images = np.empty(count, object)
        images[:] = [self._random.bytes(size) for size in sizes]
        return "image", {"image_bytes": images}, sizes


def create_askers(process, targets, ledger, stopping):
    """Returns one thread for each target and protocol.

    Args:
        process: The server.
        targets: Name in the ledger to target.
        ledger: What may be answered.
        stopping: Event that ends them.
    """
    return [
        Asker(kind(process, target), name, ledger, stopping, seed)
        for seed, (name, target) in enumerate(targets.items())
        for kind in (GrpcCaller, RestCaller)
    ]


TARGETS = {
    "latest": Target("latest"),
    "pinned/1": Target("pinned", version=1),
    "pinned/stable": Target("pinned", label="stable"),
    "guest": Target("guest"),
}

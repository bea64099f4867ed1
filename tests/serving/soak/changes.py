"""Whoever changes what is served while it is being asked, and writes down what may answer."""

import itertools
import time

from darkroom.serving.client import GrpcClient, RequestError, Target
from darkroom.tests.serving.soak.ledger import ABSENT
from darkroom.tests.serving.soak.models import Folder

VERSIONS = (1, 2, 3, 4)
BROKEN = 90
FOLLOW_SECONDS = 60
"""How long the server may take to follow a change."""
PAUSE_SECONDS = 0.3


class Operator:
    """Pushes and removes versions, breaks some, and rewrites the configuration file.

    Models: `latest` (its newest version), `pinned` (versions 1 and 2, and the label `stable`) and
    `guest` (comes and goes).

    Args:
        folder: Where the models and the file are.
        templates: Folder of saved versions.
        ledger: What may be answered.

    Attributes:
        config_file: The `ModelServerConfig`.
        rounds: How often all kinds of change have been made.
    """

    def __init__(self, folder, templates, ledger):
        self._ledger = ledger
        self._latest, self._pinned, self._guest = (
            Folder(folder / name, templates) for name in ("latest", "pinned", "guest")
        )
        self.config_file = folder / "models.config"
        self._current, self._label = 1, None
        self._latest.push(1)
        for version in (1, 2):
            self._pinned.push(version)
        self._guest.push(3)
        self._write_config(guest=False)
        ledger.allow("latest", 1)
        ledger.allow("pinned/1", 1)
        ledger.allow("guest", ABSENT)
        self.rounds = 0

    def begin(self, process):
        """Gives the label: that is possible for versions only that are there already."""
        self._move_label(process)

    def work(self, process, stopping):
        """Changes things until it is told to stop.

        Raises:
            AssertionError: The server does not follow.
        """
        steps = (
            self._push_next, self._add_guest, self._break, self._move_label, self._push_next,
            self._spoil_config, self._remove_guest, self._move_label,
        )  # fmt: skip
        for step in itertools.cycle(steps):
            if stopping.wait(PAUSE_SECONDS):
                return
            step(process)
            self.rounds += step is steps[-2]

    def _push_next(self, process):
        """The next version is pushed and the old one removed; after the last comes the first."""
        old, new = self._current, self._current % VERSIONS[-1] + 1
        self._ledger.allow("latest", old, new)
        self._latest.push(new)
        if new > old:
            _wait_for_state(process, Target("latest", version=new), "AVAILABLE")
        self._latest.remove(old)
        _wait_for_state(process, Target("latest", version=new), "AVAILABLE")
        _wait_for_state(process, Target("latest", version=old), "END")
        self._ledger.allow("latest", new)
        self._current = new

    def _break(self, process):
        self._latest.push_broken(BROKEN)
        _wait_for_state(process, Target("latest", version=BROKEN), "END")
        self._latest.remove(BROKEN)

    def _add_guest(self, process):
        self._ledger.allow("guest", ABSENT, 3)
        self._write_config(guest=True)
        _wait_for_state(process, Target("guest"), "AVAILABLE")
        self._ledger.allow("guest", 3)

    def _remove_guest(self, process):
        self._ledger.allow("guest", ABSENT, 3)
        self._write_config(guest=False)
        _wait_for_state(process, Target("guest"), "END")
        self._ledger.allow("guest", ABSENT)

    def _move_label(self, process):
        old, new = self._label, 2 if self._label == 1 else 1
        self._ledger.allow("pinned/stable", old, new)
        self._label = new
        self._write_config(guest=self._has_guest)
        _wait_until(lambda: _find_labelled(process) == new, f"label stable at version {new}")
        self._ledger.allow("pinned/stable", new)

    def _spoil_config(self, process):
        """A file that is wrong changes nothing: the callers see to that."""
        good = self.config_file.read_text()
        for bad in ("model_config_list {", "", 'nonsense: "x"', good.replace("latest", "", 1)):
            self._replace_config(bad)
            time.sleep(PAUSE_SECONDS)
        self._replace_config(good)

    def _write_config(self, guest):
        self._has_guest = guest
        base = self.config_file.parent
        label = f' version_labels {{ key: "stable" value: {self._label} }}' if self._label else ""
        configs = [
            f'config {{ name: "latest" base_path: "{base}/latest" model_platform: "tensorflow" }}',
            f'config {{ name: "pinned" base_path: "{base}/pinned" model_platform: "tensorflow"'
            " model_version_policy { specific { versions: 1 versions: 2 } }"
            f"{label} }}",
        ]
        if guest:
            configs.append(
                f'config {{ name: "guest" base_path: "{base}/guest" model_platform: "tensorflow" }}'
            )
        self._replace_config("model_config_list {\n" + "\n".join(configs) + "\n}\n")

    def _replace_config(self, text):
        temporary = self.config_file.with_suffix(".tmp")
        temporary.write_text(text)
        temporary.replace(self.config_file)


def _find_statuses(process, target):
    """Returns what the server says of a target; nothing if it knows none."""
    with GrpcClient(process.grpc_address, target) as client:
        try:
            return client.get_status()
        except RequestError as error:
            assert error.code in ("NOT_FOUND", "INVALID_ARGUMENT"), error
            return []


def _find_labelled(process):
    statuses = _find_statuses(process, Target("pinned", label="stable"))
    return statuses[0].version if statuses else None


def _wait_for_state(process, target, state):
    """A version or model that the server has forgotten has ended."""

    def has_state():
        states = {status.state for status in _find_statuses(process, target)}
        return states <= {"END"} if state == "END" else state in states

    _wait_until(has_state, f"{target} {state}")


def _wait_until(condition, what):
    deadline = time.monotonic() + FOLLOW_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {FOLLOW_SECONDS} s: {what}"
        time.sleep(0.05)

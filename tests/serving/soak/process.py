"""The server as a process, and what it takes of the machine."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import psutil

START_SECONDS = 180


class Process:
    """`python -m darkroom.serving.model_server` with flags, on free ports unless told otherwise."""

    def __init__(self, folder, *flags, ports=(0, 0)):
        port_file = folder / "ports"
        port_file.unlink(missing_ok=True)
        self.log_file = folder / "log"
        command = [
            sys.executable, "-m", "darkroom.serving.model_server", *flags,
            f"--rest_api_port={ports[0]}", f"--port={ports[1]}", f"--port_file={port_file}",
        ]  # fmt: skip
        began = time.monotonic()
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
            )
        try:
            self._wait_for(port_file)
        except BaseException:
            self.kill()
            raise
        self.start_seconds = time.monotonic() - began
        found = json.loads(port_file.read_text())
        self.rest_port, self.grpc_port = found["rest"], found["grpc"]
        self.info = psutil.Process(self._process.pid)

    def _wait_for(self, port_file):
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            assert self.is_running(), self.log()[-3000:]
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)

    @property
    def rest_url(self):
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def grpc_address(self):
        return f"127.0.0.1:{self.grpc_port}"

    def is_running(self):
        return self._process.poll() is None

    def log(self):
        return self.log_file.read_text(errors="replace")

    def kill(self):
        """As the kernel does when memory runs out: no chance to say goodbye."""
        self._process.kill()
        self._process.wait(30)

    def terminate(self):
        """Returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)


@contextlib.contextmanager
def serving(folder, *flags):
    """A server that is killed at the end if it still runs."""
    process = Process(folder, *flags)
    try:
        yield process
    finally:
        process.kill()


def unexpected_lines(log, *expected):
    """Returns the lines of a log that report an error, unless they are of the expected kind."""
    troubles = re.compile(r"^\S+ \S+ [EC] |Traceback|Exception|Fatal|Segmentation", re.MULTILINE)
    return [
        line
        for line in log.splitlines()
        if troubles.search(line) and not any(re.search(each, line) for each in expected)
    ]


@dataclass
class Usage:
    """What a process takes, now and then."""

    info: psutil.Process
    rss: list = field(default_factory=list)

    def sample(self, stopping, every_seconds):
        """Takes down the memory until it is told to stop."""
        while not stopping.wait(every_seconds):
            self.rss.append(self.info.memory_info().rss)

    def start(self, stopping, every_seconds=0.5):
        """Samples in a thread."""
        thread = threading.Thread(target=self.sample, args=(stopping, every_seconds), daemon=True)
        thread.start()
        return thread

    def find_growth(self):
        """Returns bytes between the medians of the second and of the last quarter.

        The first quarter is for caches, pools and arenas to fill.
        """
        quarter = len(self.rss) // 4
        early, late = self.rss[quarter : 2 * quarter], self.rss[-quarter:]
        return statistics.median(late) - statistics.median(early)


def count_held(info):
    """Returns the numbers of open files and of threads."""
    return info.num_fds(), info.num_threads()

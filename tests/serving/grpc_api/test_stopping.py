import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
PROGRAM = """
import pathlib, sys
from serving.model_server.event_loop import EventLoopThread
from tests.serving.grpc_api.grpc_servers import run_server

loop = EventLoopThread()
for _ in range(500):
    with run_server(pathlib.Path(sys.argv[1])):
        pass
loop.stop()
print("stopped")
"""


def test_stopping_never_crashes_the_process(tmp_path):
    """gRPC does, now and then, where a server is stopped twice at the same time."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (0, "stopped\n"), ended.stderr[-2000:]

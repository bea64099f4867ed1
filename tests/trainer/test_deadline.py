import subprocess
import sys

PROGRAM = """
import ctypes, sys, time
from darkroom.trainer.deadline import ending_after

with ending_after(float(sys.argv[1]), "error: it is late"):
    ctypes.PyDLL(None).usleep(int(float(sys.argv[2]) * 1e6))  # With Python's lock held.
print("done")
time.sleep(float(sys.argv[3]))
"""


def run(limit, block, after=0.0):
    command = [sys.executable, "-c", PROGRAM, str(limit), str(block), str(after)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_block_that_holds_pythons_lock_is_ended_with_the_line():
    ended = run(0.5, 30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "error: it is late\n")


def test_a_block_that_ends_in_time_leaves_no_trace():
    ended = run(1, 0.1, after=4)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_an_error_of_the_block_is_passed_on():
    ended = run(60, "nonsense")
    assert ended.returncode == 1
    assert ended.stderr.rstrip().endswith("could not convert string to float: 'nonsense'")

import gc
import importlib
import subprocess
import sys

import pytest

from darkroom.runner.interpreter import importing


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()


def test_no_garbage_is_looked_for_while_importing_nor_later_in_what_was_there():
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000


def test_garbage_is_looked_for_again_after_a_failed_import():
    with pytest.raises(ModuleNotFoundError), importing():
        importlib.import_module("nowhere")
    assert gc.isenabled()


@pytest.mark.parametrize("code", [0, 3])
def test_leaving_passes_the_code_on_and_what_is_to_be_done_at_the_end_is_done(code):
    program = (
        "import atexit, sys; from darkroom.runner.interpreter import leave;"
        "atexit.register(print, 'end'); leave(int(sys.argv[1]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(code)], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "end\n", "")

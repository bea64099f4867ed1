"""What a server needs after fifty new versions is what it needed after a few."""

import json
import subprocess
import sys

import numpy as np
import pytest

RELOADS = 50
WARM = 10
WEIGHTS = 10 * 576 * 576 * 4


@pytest.mark.e2e
def test_unloaded_versions_give_their_memory_back(tmp_path):
    command = [sys.executable, "-m", "darkroom.tests.serving.models.reload_fifty_times"]
    process = subprocess.run(
        [*command, str(tmp_path), str(RELOADS)], capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 0, process.stderr
    used = json.loads(process.stdout.splitlines()[-1])
    growth = np.polyfit(np.arange(RELOADS - WARM), used[WARM:], 1)[0]
    # TensorFlow's runtime keeps 0.2 to 0.3 MB of each; without the collection of garbage it is
    # 10 MB, and one tensor of weights kept is 1.3 MB.
    assert growth < 0.06 * WEIGHTS, f"{growth / 1e6:.2f} MB more with each version"

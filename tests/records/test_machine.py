from dataclasses import asdict

import pytest

from darkroom.records import machine
from darkroom.records.machine import Machine


def test_this_machine_is_described():
    here = Machine.here()
    assert here.cores >= 1 and here.memory > 2**28
    assert f"{here.cores} cores" in here.describe() and "GPU" not in here.describe()
    assert "TensorFlow 2." in here.describe_versions() and "Darkroom " in here.describe_versions()


@pytest.mark.parametrize(("gpus", "words"), [((), "no GPU"), (("One", "Two"), "One, Two")])
def test_gpus_that_were_looked_for_are_named(gpus, words):
    there = Machine.here(gpus)
    assert there.describe().endswith(words)
    assert Machine.read(asdict(there)) == there


def test_the_first_processor_is_named(tmp_path):
    (tmp_path / "cpuinfo").write_text("x: y\nmodel name\t: Some CPU\nmodel name\t: Other\n")
    assert machine._read_cpu(tmp_path / "cpuinfo") == "Some CPU"
    assert machine._read_cpu(tmp_path / "absent") == machine.machine()

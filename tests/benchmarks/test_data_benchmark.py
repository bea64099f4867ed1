import contextlib

import pytest

from darkroom.benchmarks.data.measuring import Measured
from darkroom.benchmarks.data.parts import PARTS
from darkroom.tests.images import encode, pixels

IMAGES = 12


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(IMAGES):
        place = folder / "ab"[number % 2]
        place.mkdir(exist_ok=True)
        (place / f"{number}.jpg").write_bytes(encode(pixels(seed=number), "JPEG"))
    return folder


def test_each_part_of_the_pipeline_handles_every_photograph(photographs, tmp_path):
    ours = [name for name in PARTS if "ImageDataGenerator" not in name]
    clock = contextlib.nullcontext
    assert {name: PARTS[name](photographs, tmp_path, clock) for name in ours} == dict.fromkeys(
        ours, IMAGES
    )


def test_images_are_counted_by_the_second_of_cpu_time():
    assert Measured("", 100, 1.0, 2.0, 0.0).images_per_cpu_second == 50

"""The ingest counts the rows that it has looked at, those that it rejects included."""

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.records import progress
from darkroom.tests.components.image_example_gen.test_executor import ingest
from darkroom.tests.images import encode, pixels


def test_each_row_counts(tmp_path):
    progress.end()
    for number, name in enumerate(["a/1.png", "a/2.png", "b/3.png", "b/4.png", "b/cut.png"]):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        content = encode(pixels(seed=number))
        (tmp_path / "data" / name).write_bytes(content[:-9] if "cut" in name else content)
    ingest(DataConfig(path=tmp_path / "data", format="folders"), tmp_path)
    counted = progress.look()
    assert (counted.unit, counted.done, counted.total) == ("images", 5, 5)

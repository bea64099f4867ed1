import pytest
from pydantic import ValidationError

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.transform.features import IMAGE_XF, RESERVED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("eval_fraction", 0),
        ("eval_fraction", 1),
        ("eval_fraction", float("nan")),
        ("max_quarantined", -0.1),
        ("max_quarantined", 1.5),
        ("min_class_images", 0),
        ("format", "xlsx"),
        ("fromat", "csv"),
        ("image_column", "label"),
        *[("metadata_columns", [name]) for name in sorted(RESERVED | {IMAGE_XF})],
        ("metadata_columns", ["my column"]),
        ("metadata_columns", ["é"]),
        ("metadata_columns", ["source", "source"]),
    ],
)
def test_bad_values_are_refused_by_name(field, value):
    with pytest.raises(ValidationError, match=field):
        DataConfig(path="data", **{field: value})


@pytest.mark.parametrize("columns", [{"group_column": "a"}, {"metadata_columns": ("a",)}])
def test_folders_have_no_columns(columns):
    with pytest.raises(ValidationError, match="which format folders does not have"):
        DataConfig(path="data", format="folders", **columns)


def test_each_needed_column_is_named_once():
    config = DataConfig(path="d", group_column="source", metadata_columns=("source", "day"))
    assert config.columns == ("image_path", "label", "source", "day")


def test_the_limit_of_the_gate_is_no_part_of_the_ingest():
    strict, lax = (DataConfig(path="d", max_quarantined=share) for share in (0.0, 0.5))
    assert strict.ingest_json() == lax.ingest_json()
    other = DataConfig(path="d", eval_fraction=0.3)
    assert strict.ingest_json() != other.ingest_json()
    assert DataConfig.model_validate_json(other.ingest_json()) == other

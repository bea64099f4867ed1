import subprocess
import sys

import pytest
import tensorflow_data_validation as tfdv
from pydantic import ValidationError

from darkroom.components.validation import (
    DEFAULT_FATAL,
    KINDS,
    ValidationConfig,
    image_stats_options,
)
from darkroom.transform.features import DESCRIPTORS, IMAGE, IMAGE_PATH, LABEL


def test_the_defaults_are_kinds_that_exist():
    assert set(DEFAULT_FATAL) <= set(KINDS)
    assert ValidationConfig().fatal_features == (LABEL, *DESCRIPTORS)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ENUM_TYPE_UNEXPECTED_STRING_VALUE", "did you mean ENUM_TYPE_UNEXPECTED_STRING_VALUES"),
        ("schema_missing_column", "did you mean SCHEMA_MISSING_COLUMN"),
        ("???", "see AnomalyInfo.Type"),
    ],
)
def test_unknown_kinds_are_refused_with_close_ones(kind, words):
    with pytest.raises(ValidationError, match="fatal") as caught:
        ValidationConfig(fatal=["SCHEMA_NEW_COLUMN", kind])
    assert repr(kind) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_schema_is_refused_by_name(tmp_path):
    with pytest.raises(ValidationError, match=r"schema_path\n.*no\.pbtxt' is not a file"):
        ValidationConfig(schema_path=tmp_path / "no.pbtxt")
    (tmp_path / "schema.pbtxt").touch()
    assert ValidationConfig(schema_path=tmp_path / "schema.pbtxt").schema_path


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="fatel"):
        ValidationConfig(fatel=[])


def test_paths_are_not_profiled_and_images_as_images():
    options = tfdv.StatsOptions.from_json(image_stats_options(["source"]).to_json())
    assert set(options.feature_allowlist) == {IMAGE, LABEL, *DESCRIPTORS, "source"}
    assert IMAGE_PATH not in options.feature_allowlist
    (image,) = options.schema.feature
    assert (image.name, image.HasField("image_domain")) == (IMAGE, True)


def test_a_recipe_is_checked_without_data_validation():
    program = (
        "import sys; from darkroom.components.validation import ValidationConfig;"
        "ValidationConfig();"
        "assert not {'tensorflow_data_validation', 'apache_beam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

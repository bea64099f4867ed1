"""What the statistics see, and which anomalies stop a run: the recipe's `validation` section."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, field_validator
from tensorflow_metadata.proto.v0 import anomalies_pb2

from darkroom.transform.features import DESCRIPTORS, IMAGE, LABEL

if TYPE_CHECKING:
    import tensorflow_data_validation as tfdv

KINDS: Final = tuple(anomalies_pb2.AnomalyInfo.Type.keys())
"""Kinds of anomalies that TensorFlow Data Validation knows."""

DEFAULT_FATAL: Final = (
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
    "ENUM_TYPE_INVALID_UTF8",
    "SCHEMA_MISSING_COLUMN",
    "FEATURE_TYPE_NOT_PRESENT",
    "FEATURE_TYPE_NO_VALUES",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT",
    "FEATURE_TYPE_LOW_NUMBER_VALUES",
    "FEATURE_TYPE_HIGH_NUMBER_VALUES",
    "UNEXPECTED_DATA_TYPE",
    "INT_TYPE_BIG_INT",
    "INT_TYPE_SMALL_INT",
    "INT_TYPE_INT_EXPECTED",
    "FLOAT_TYPE_BIG_FLOAT",
    "FLOAT_TYPE_SMALL_FLOAT",
    "FLOAT_TYPE_NOT_FLOAT",
    "FLOAT_TYPE_HAS_NAN",
    "FLOAT_TYPE_HAS_INF",
    "DATASET_LOW_NUM_EXAMPLES",
    "DATASET_HIGH_NUM_EXAMPLES",
)
"""Labels that training has not seen, broken features, and every limit that a schema sets."""


class ValidationConfig(BaseModel):
    """How the data are validated.

    Args:
        schema_path: A schema (text proto) that the data must fit. Without one it is inferred
            from the train split, and eval is checked against that.
        fatal: Kinds of anomalies that stop the run, in TensorFlow Data Validation's names;
            others are reported only.
        fatal_features: Features in which such an anomaly is fatal. Metadata columns are not
            among them: a new camera or patient in eval is what eval is for. Anomalies of the
            data set as a whole always count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_path: Path | None = None
    fatal: tuple[str, ...] = DEFAULT_FATAL
    fatal_features: tuple[str, ...] = (LABEL, *DESCRIPTORS)

    @field_validator("schema_path")
    @classmethod
    def _check_schema_path(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(
                f"{str(path)!r} is not a file; give a schema's text proto, or leave it out to "
                "have one inferred"
            )
        return path

    @field_validator("fatal")
    @classmethod
    def _check_kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            if kind not in KINDS:
                close = get_close_matches(kind.upper(), KINDS, n=3)
                remedy = f"did you mean {', '.join(close)}?" if close else "see AnomalyInfo.Type"
                raise ValueError(
                    f"{kind!r} is no kind of anomaly of TensorFlow Data Validation; {remedy}"
                )
        return kinds


def image_stats_options(metadata_columns: Sequence[str] = ()) -> "tfdv.StatsOptions":
    """Options for StatisticsGen: profile the label, the descriptors and the metadata.

    Of the encoded images only presence and size are profiled: they are declared as images, so
    that megabytes of distinct values are neither counted nor sampled. They have to be there, for
    SchemaGen puts into the schema what the statistics hold, and Transform reads what the schema
    holds. Paths are left out. Nothing here, nor in StatisticsGen with these options, runs a
    TensorFlow op, so no GPU is taken.
    """
    # Imported here: the import takes as long as TensorFlow's, and checking a recipe needs neither.
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()
    image = schema.feature.add(name=IMAGE, type=schema_pb2.BYTES)
    image.image_domain.SetInParent()
    return tfdv.StatsOptions(
        schema=schema, feature_allowlist=[IMAGE, LABEL, *DESCRIPTORS, *metadata_columns]
    )

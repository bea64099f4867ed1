"""A real Transform output on a handful of images, without a pipeline around it."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

from darkroom.transform import features
from darkroom.transform.config import TransformConfig
from darkroom.transform.preprocessing import preprocessing_fn

RAW_SPECIFICATION = {
    features.IMAGE: tf.io.FixedLenFeature([], tf.string),
    features.LABEL: tf.io.FixedLenFeature([], tf.string),
}


def build_transform_output(
    folder: Path, images: list[bytes], labels: list[str], config: TransformConfig
) -> tuple[tft.TFTransformOutput, list[dict[str, np.ndarray]]]:
    """Analyzes and transforms the images; returns the output and the transformed rows."""
    rows = [
        {features.IMAGE: image, features.LABEL: label.encode()}
        for image, label in zip(images, labels, strict=True)
    ]
    schema = schema_utils.schema_from_feature_spec(RAW_SPECIFICATION)
    metadata = dataset_metadata.DatasetMetadata(schema)

    def preprocess(inputs):
        return preprocessing_fn(inputs, {"transform": config.model_dump()})

    with tft_beam.Context(temp_dir=str(folder / "temporary")):
        (data, _), graph = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(preprocess)
        _ = graph | tft_beam.WriteTransformFn(str(folder / "output"))
    raw_metadata = folder / "output" / tft.TFTransformOutput.RAW_METADATA_DIR
    metadata_io.write_metadata(metadata, str(raw_metadata))
    return tft.TFTransformOutput(str(folder / "output")), data

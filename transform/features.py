"""Names of the raw and the transformed features: what ingest, training and serving agree on."""

from typing import Final

IMAGE: Final = "image_bytes"
"""Encoded image (JPEG or PNG), bytes, one value per example."""
LABEL: Final = "label"
"""Class name, UTF-8 string."""
IMAGE_PATH: Final = "image_path"
"""Where the image came from, relative to the data folder, POSIX separators."""

HEIGHT: Final = "height"
WIDTH: Final = "width"
CHANNELS: Final = "channels"
BYTES: Final = "bytes"
MEAN: Final = "mean"
STDDEV: Final = "stddev"
SHARPNESS: Final = "sharpness"

INTEGER_DESCRIPTORS: Final = (HEIGHT, WIDTH, CHANNELS, BYTES)
"""int64 descriptors of the image as stored: pixels, pixels, count, bytes."""
FLOAT_DESCRIPTORS: Final = (MEAN, STDDEV, SHARPNESS)
"""float32 descriptors of the image in grey levels 0 to 255."""
DESCRIPTORS: Final = INTEGER_DESCRIPTORS + FLOAT_DESCRIPTORS

RESERVED: Final = frozenset((IMAGE, LABEL, IMAGE_PATH, *DESCRIPTORS))
"""Names that a metadata column may not take."""

IMAGE_XF: Final = "image_xf"
"""Transformed image: `tf.io.serialize_tensor` of uint8 [height, width, 3]. TFT writes no uint8."""
LABEL_XF: Final = "label_xf"
"""Transformed label: int64 index into the label vocabulary."""
LABEL_VOCABULARY: Final = "labels"
"""Name of the TFT vocabulary that holds the class names, one a line, in index order."""

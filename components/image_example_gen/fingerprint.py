"""A hash of a data set: the part of ImageExampleGen's cache key that sees changed files."""

import hashlib

from darkroom.components.image_example_gen.config import DataConfig
from darkroom.components.image_example_gen.data_set import open_data


def fingerprint(config: DataConfig) -> str:
    """Hash of the tables, of the images' paths and of every image's bytes.

    Times of files, and where the data folder lies, are no part of it. A file that is missing or
    cannot be read counts as such, so the hash changes when it appears. In an object store no image
    is read: its size and tag (ETag, generation) in the listing stand for its bytes.

    Returns:
        SHA-256, 64 hexadecimal digits.

    Raises:
        DataLocationError: The data cannot be listed.
    """
    data = open_data(config)
    rows = (row for row in data.list_rows() if not (row.skipped or row.within))
    paths = sorted({row.image_path for row in rows})
    total = hashlib.sha256(data.source.digest())
    for entries in data.place.identify(paths):
        total.update(entries)
    return total.hexdigest()

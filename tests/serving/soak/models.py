"""A model whose every answer tells its version, and the folders that a server follows."""

import shutil

import numpy as np
import tensorflow as tf

BALLAST_BYTES = 16 << 20
STEP = 1000
"""Numbers that are asked are smaller, so that an answer holds both number and version."""


class Versioned(tf.Module):
    """Takes numbers or images."""

    def __init__(self, version):
        super().__init__()
        self.offset = tf.Variable(np.float32(version * STEP))
        # So that versions that are not given back are seen.
        self.ballast = tf.Variable(np.zeros(BALLAST_BYTES // 4, np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def number(self, x):
        return {"value": x + self.offset + self.ballast[0]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def image(self, image_bytes):
        size = tf.cast(tf.strings.length(image_bytes), tf.float32)
        return {"value": size + self.offset}


def save_versioned(path, version):
    """Saves the model that answers for this version."""
    module = Versioned(version)
    tf.saved_model.save(
        module, str(path), {"serving_default": module.number, "image": module.image}
    )


class Folder:
    """A model's base path; versions come and go as a Pusher and a cleaner would have it.

    Args:
        path: Where.
        templates: Folder of saved versions, by number.
    """

    def __init__(self, path, templates):
        self.path, self._templates = path, templates
        path.mkdir(parents=True)

    def push(self, version):
        """Copies beside the target and renames, so that the server never sees half of it."""
        hidden = self.path / f".{version}.tmp"
        shutil.copytree(self._templates / str(version), hidden)
        hidden.rename(self.path / str(version))

    def push_broken(self, version):
        """A version that does not load."""
        hidden = self.path / f".{version}.tmp"
        hidden.mkdir()
        (hidden / "saved_model.pb").write_bytes(b"not a model")
        hidden.rename(self.path / str(version))

    def remove(self, version):
        """At once for the server, whatever time it takes."""
        hidden = self.path / f".{version}.old"
        (self.path / str(version)).rename(hidden)
        shutil.rmtree(hidden)

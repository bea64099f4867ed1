"""Where things lie: folders and object stores, served versions, digests; no TFX, no TensorFlow."""

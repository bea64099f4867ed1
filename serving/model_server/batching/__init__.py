"""Requests put together into batches, with TensorFlow Serving's parameters."""

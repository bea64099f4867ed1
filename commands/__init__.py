"""The `darkroom` command: a file for each of its commands; none imports TensorFlow unasked."""

"""The gRPC API on the messages of `tensorflow-serving-api`."""

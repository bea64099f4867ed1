"""ServingCheck: the candidate behind the model server, asked over REST and gRPC."""

"""What trains: an engine takes a model and batches, trains, and returns a `History`."""

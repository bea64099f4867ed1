"""What `make` runs around the pipeline: set-up, checks and the demo."""

"""Talking to the API server of Kubeflow Pipelines: what `submit` and `schedule` share."""

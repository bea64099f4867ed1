"""The same DAG on Kubeflow Pipelines. Not the SDK of that name, which nothing here needs."""

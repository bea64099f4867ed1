"""Running the DAG on this machine: one line a node, a log file, a summary and an exit code."""

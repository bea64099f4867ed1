"""What `make` runs around the pipeline: set-up, checks and the demo.

Columns, host, engine, image and set-up use the standard library and Python 3.8 syntax only: the
host's own python3 runs them, before anything is installed.
"""

"""The shipped backbone weights: how they are made from rendered letters.

`python -m darkroom.tools.pretraining --fonts DIR --output FILE` renders letters, trains the
backbone on them
and writes its weights with a JSON record beside them. Nothing here runs in a pipeline.
"""

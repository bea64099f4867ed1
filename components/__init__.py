"""TFX nodes of Darkroom: one folder each.

`node.py` says what a node is, `component.py` wires it and `executor.py` works.
"""

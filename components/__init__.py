"""TFX nodes of Darkroom: one folder each, `component.py` wires and `executor.py` works."""

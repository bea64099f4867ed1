"""Versions of a model that are served, wherever the push destination lies.

Imports neither TensorFlow nor TFX, so that a command line may ask before it decides anything.
"""

from darkroom.storage.versions.place import open_place, served_version
from darkroom.storage.versions.served import ServedVersion, ServingPlace
from darkroom.storage.versions.withdrawn import explain_withdrawn

__all__ = [
    "ServedVersion",
    "ServingPlace",
    "explain_withdrawn",
    "open_place",
    "served_version",
]

"""Where a recipe pushes to: a folder of this machine, or one of an object store.

Imports neither TensorFlow nor TFX, so that a command line may ask before it decides anything.
"""

from pathlib import Path

from darkroom.storage.object_store import is_uri
from darkroom.storage.versions.folder import ServingFolder
from darkroom.storage.versions.served import ServingPlace
from darkroom.storage.versions.store import ServingStore


def open_place(destination: str) -> ServingPlace:
    """The serving folder of a recipe's `push.destination`; ServingPlaceError if it is unusable."""
    return ServingStore(destination) if is_uri(destination) else ServingFolder(Path(destination))


def served_version(destination: str) -> str:
    """Names what is served: version and content digest, or `none`; StorageError if unreadable."""
    place = open_place(destination)
    served = place.newest()
    return f"{served.number}:{place.digest(served)}" if served else "none"

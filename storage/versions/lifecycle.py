"""Which of the versions of a model is served, and changing it.

A model server serves the highest number. So a version is taken out of service by the name that it
then has (see `versions/withdrawn.py`), and one that is older comes back when those above it go.
`destination` is a recipe's `push.destination`; what changes it returns the version then served.
"""

from darkroom.storage.errors import VersionError
from darkroom.storage.versions.place import open_place
from darkroom.storage.versions.served import Version


def list_versions(destination: str) -> list[Version]:
    """The versions of a serving folder, the newest first; ServingPlaceError if it is unreadable."""
    return sorted(open_place(destination).versions(), key=lambda each: each.number, reverse=True)


def find_served(destination: str) -> Version:
    """The version that a model server serves.

    Raises:
        VersionError: There is none.
        ServingPlaceError: The destination cannot be read.
    """
    served = open_place(destination).newest()
    if served:
        return served
    raise VersionError(f"{destination} holds no version; a run that is blessed pushes one")


def roll_back(destination: str, number: int | None = None) -> Version:
    """Takes the served version out of service, and those between it and the one to go back to.

    Args:
        number: The version to go back to; none: the one before the served one.

    Raises:
        VersionError: There is no such version below the served one.
        ServingPlaceError: The destination cannot be read or written to.
    """
    served = find_served(destination)
    older = [
        each
        for each in list_versions(destination)
        if each.state == "older" and number in (None, each.number)
    ]
    if not older:
        wanted = "no older version" if number is None else f"no version {number} below it"
        raise VersionError(
            f"{destination}: version {served.number} is served, and there is {wanted}; "
            "`darkroom versions` lists them"
        )
    return promote(destination, older[0].number)


def promote(destination: str, number: int) -> Version:
    """Makes a version the served one: puts it back where it was withdrawn, withdraws those above.

    Raises:
        VersionError: There is no such version.
        ServingPlaceError: The destination cannot be read or written to.
    """
    found = list_versions(destination)
    known = {each.number: each for each in found}
    if number not in known:
        names = ", ".join(map(str, known)) or "none"
        raise VersionError(f"{destination} has no version {number}; it has {names}")
    place = open_place(destination)
    if known[number].state == "withdrawn":
        place.put_back(number)
    # The served one goes last: it is followed by the wanted one, and by none in between.
    # Withdrawn ones too: what an earlier change left half moved is moved.
    for each in sorted(above for above in known if above > number):
        place.withdraw(each)
    # Notes the digests: no later run pushes these models again, deleted or not.
    place.withdrawn()
    return find_served(destination)


def remove(destination: str, version: Version) -> None:
    """Removes a version that is not served; nobody loads half of it.

    Raises:
        VersionError: It is served.
        ServingPlaceError: It cannot be removed.
    """
    if version.state == "served":
        raise VersionError(f"version {version.number} is served; roll back or push another first")
    open_place(destination).remove(version)

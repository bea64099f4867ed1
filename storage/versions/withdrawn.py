"""What taking a version out of service looks like, in a folder and in an object store alike.

Version 7 is withdrawn by giving it the name `.7.withdrawn`, which no model server looks at. The
next push notes the digest of that model in `.withdrawn/7`, so that it is held back after the copy
was deleted to make room, too. It counts until version 7 is in its place again, or until somebody
removes both. Numbers of withdrawn versions are not given again: whoever saw version 7 must not meet
another model under that number.
"""

import re
from typing import Final

NOTES: Final = ".withdrawn"
"""Folder of the notes: a file for each version, named by its number, that holds the digest."""
_NAME: Final = re.compile(r"\.([1-9][0-9]*)\.withdrawn")


def withdrawn_name(version: int) -> str:
    """Name of the folder that a version is renamed to."""
    return f".{version}.withdrawn"


def withdrawn_number(name: str) -> int | None:
    """The version that was renamed to this, or None."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def explain_withdrawn(destination: str, version: int) -> str:
    """Why a model is not pushed, and how somebody allows it again; one line."""
    folder = destination.rstrip("/")
    return (
        f"version {version}, withdrawn, is this very model; to serve it again, rename "
        f"{folder}/{withdrawn_name(version)} to {version}, or to push it anew, remove that and "
        f"{folder}/{NOTES}/{version}"
    )

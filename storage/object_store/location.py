"""URIs of folders and objects in object stores."""

import re
from typing import Final, NamedTuple

from darkroom.storage.errors import ObjectStoreError

SCHEMES: Final = ("s3", "gs", "minio")

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,19}")


def is_uri(location: str) -> bool:
    """Whether this names a place in an object store, not a path of this machine."""
    return "://" in location


def checked_uri(uri: str) -> str:
    """The URI itself, for a configuration; ValueError where it cannot be one of an object store."""
    try:
        Location.parse(uri)
    except ObjectStoreError as error:
        raise ValueError(str(error)) from None
    return uri


class Location(NamedTuple):
    """A bucket and what is in it.

    Attributes:
        scheme: One of SCHEMES.
        key: Folder or object in it, without slashes at its ends; empty: the whole bucket.
    """

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> "Location":
        """Takes a URI apart; what it refuses, it does not repeat: there may be a secret in it.

        Raises:
            ObjectStoreError: It has another scheme, no bucket, or credentials in it.
        """
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme not in SCHEMES:
            known = ", ".join(f"{known}://" for known in SCHEMES)
            named = scheme if _SCHEME.fullmatch(scheme) else "…"
            raise ObjectStoreError(
                f"{named}://… has the unknown scheme {named!r}; use {known} or a folder"
            )
        if ":" in bucket or "@" in bucket:
            raise ObjectStoreError(
                f"{scheme}://…: a bucket has no ':' or '@' in its name, and credentials do not "
                "belong in a URI; set them in the environment"
            )
        if not bucket:
            raise ObjectStoreError(f"{scheme}:///… names no bucket; use {scheme}://bucket/folder")
        return cls(scheme, bucket, key.strip("/"))

    @property
    def path(self) -> str:
        """As fsspec names it: bucket and key."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    def join(self, name: str) -> "Location":
        """What has this name below this place."""
        return self._replace(key=f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

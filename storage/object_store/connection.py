"""Connections to object stores; endpoints and credentials come from the environment."""

import functools
import hashlib
import logging
import os
from typing import Any, Final

from darkroom.storage.errors import ObjectStoreError
from darkroom.storage.object_store.location import Location

THREADS: Final = 32
"""Transfers at a time: most of a small object's time is waiting for the store."""

_AMAZON: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_ENDPOINTS: Final = {"s3": _AMAZON, "minio": _AMAZON, "gs": ("STORAGE_EMULATOR_HOST",)}
_SETTINGS: Final = ("AWS_", "GOOGLE_", "GCSFS_", "STORAGE_")


def named_endpoint(scheme: str) -> str:
    """The endpoint that the environment names for a scheme; empty: the store's own."""
    return next((os.environ[name] for name in _ENDPOINTS[scheme] if os.environ.get(name)), "")


def open_files(location: Location) -> Any:
    """The file system of s3fs or gcsfs that reaches a location.

    Raises:
        ObjectStoreError: An endpoint is missing, or has credentials in it, which no store takes
            and logs would show.
    """
    for name in (*_AMAZON, *_ENDPOINTS["gs"]):
        if "@" in os.environ.get(name, ""):
            raise ObjectStoreError(
                f"{name}: credentials do not belong in an endpoint; name only host and port there"
            )
    if location.scheme == "minio" and not named_endpoint("minio"):
        raise ObjectStoreError(
            f"{location}: minio:// has no endpoint of its own; set AWS_ENDPOINT_URL"
        )
    settings = (f"{n}={os.environ[n]}" for n in sorted(os.environ) if n.startswith(_SETTINGS))
    digest = hashlib.sha256("\0".join(settings).encode()).hexdigest()
    return _connect("gs" if location.scheme == "gs" else "s3", os.getpid(), digest)


@functools.lru_cache(maxsize=4)
def _connect(protocol: str, process: int, settings: str) -> Any:
    """One connection for a process and an environment: making it takes longer than its use."""
    # No listing may come from before a change, and no connection from another environment.
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if protocol == "gs":
        # From 2026 on, what fsspec opens asks Google first, for a minute and by gRPC, even where
        # an emulator is named, of what kind a bucket is. This class of both columns does not.
        from gcsfs.core import GCSFileSystem

        if "GCSFS_DEBUG" not in os.environ:
            logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # It logs what it raises.
        return GCSFileSystem(token=_google_token(), consistency="md5", **options)
    import fsspec

    return fsspec.filesystem("s3", config_kwargs={"max_pool_connections": THREADS}, **options)


def _google_token() -> str | None:
    """Whose credentials gcsfs takes; None: those it finds.

    An emulator is given none but those that are named, as Google's own client has it.
    """
    emulated = named_endpoint("gs") not in ("", "default")
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    return "anon" if emulated and not named else None

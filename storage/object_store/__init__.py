"""Copies between folders and object stores (s3://, gs://, minio://), through fsspec.

A copy is streamed, goes on where a killed one stopped, and is checked. Credentials and endpoint
come from the environment, as each store's own tools read them; minio:// is S3's interface under
another name. Importing this costs nothing: s3fs and gcsfs are imported when a store is opened.
"""

from darkroom.storage.object_store.download import discard_state, download_folder
from darkroom.storage.object_store.location import Location, is_uri
from darkroom.storage.object_store.scratch import scratch_copy
from darkroom.storage.object_store.store import ObjectStore, StoredObject, read_bytes, write_bytes
from darkroom.storage.object_store.upload import upload_folder

__all__ = [
    "Location",
    "ObjectStore",
    "StoredObject",
    "discard_state",
    "download_folder",
    "is_uri",
    "read_bytes",
    "scratch_copy",
    "upload_folder",
    "write_bytes",
]

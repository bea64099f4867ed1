"""An S3 server for tests: moto's, on loopback, whose answers can be disturbed."""

import os
from datetime import timedelta

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.wrappers import Response

from darkroom.tests.storage.disturbed_server import (
    Answer,
    DisturbedServer,
    QuietHandler,
    answer_first,
)

KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}


class _Handler(QuietHandler, MotoRequestHandler):
    pass


class BucketServer(DisturbedServer):
    """Moto, with buckets that can be looked into."""

    def __init__(self) -> None:
        super().__init__(DomainDispatcherApplication(create_backend_app), _Handler)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach this server."""
        return {
            **KEYS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_MAX_ATTEMPTS": "3",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def create_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        if name in backend.buckets:
            backend.buckets[name].keys.clear()
        else:
            backend.create_bucket(name, "us-east-1")

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Content of all objects of a bucket, without asking over the network."""
        keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
        return {name: key.value for name, key in list(keys.items())}

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """Stores an object under any name, without asking over the network."""
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, name, content)

    def remove(self, bucket: str, name: str) -> None:
        """Removes an object, where there is one, without asking over the network."""
        keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
        if name in keys:
            keys.pop(name)

    def age(self, bucket: str, seconds: float) -> None:
        """Makes all objects of a bucket older."""
        for key in list(s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys.values()):
            key.last_modified -= timedelta(seconds=seconds)


def refuse(
    status: str, code: str, times: int = 10**9, method: str = "GET", message: str = "told to"
) -> Answer:
    """Answers the first requests of a method with an error of S3's."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return answer_first(times, method, Response(body, status, content_type="text/xml"))

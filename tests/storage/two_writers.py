"""Two writers of one object, at the same moment."""

import itertools
import threading
from typing import Any

from darkroom.storage.object_store import Location, ObjectStore


def create_at_the_same_moment(bucket: Any, method: str, uri: str) -> dict[bytes, bool]:
    """Lets two threads create the object `marker`; both have found nothing.

    Args:
        bucket: The server; one of the two does not write there until the other is done.
        method: The request that writes, such as PUT.
        uri: The folder.

    Returns:
        Whether the object is its own, by each one's content.
    """
    together = threading.Barrier(2, timeout=20)
    turns, ended = itertools.count(), threading.Event()

    def disturb(request: dict[str, Any], start: Any) -> None:
        if request["REQUEST_METHOD"] == method:
            together.wait()
            if next(turns) == 1:
                assert ended.wait(20)

    bucket.disturb = disturb
    made = {}

    def create(content: bytes) -> None:
        made[content] = ObjectStore(Location.parse(uri)).create("marker", content)
        ended.set()

    threads = [threading.Thread(target=create, args=[each]) for each in (b"1", b"2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return made

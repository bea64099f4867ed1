"""What answers where ML Metadata should be, and is none."""

import struct

import pytest

from darkroom.kubeflow.server.access import RefusedError
from darkroom.kubeflow.server.lineage import read_push


class Answering:
    """Stands for a connection whose server says the same to everything."""

    host = "http://kubeflow"

    def __init__(self, answer: bytes):
        self.answer = answer

    def ask(self, path: str, content: bytes, kind: str) -> bytes:
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [b'{"error": "x"}', b"not found here", struct.pack(">BI", 0, 9) + b"\x0a\xff\xff"],
    ids=["json", "text", "cut off"],
)
def test_what_is_no_message_is_told_in_one_line(answer):
    with pytest.raises(RefusedError, match=r"^http://kubeflow: there is no ML Metadata"):
        read_push(Answering(answer), "run")


@pytest.mark.parametrize("answer", [b"", struct.pack(">BI", 0x80, 4) + b"grpc"])
def test_a_run_that_is_not_known_has_no_push(answer):
    assert read_push(Answering(answer), "run") is None

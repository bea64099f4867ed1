"""Large bodies, which a process of its own reads: the same answers, and what if it is killed."""

import asyncio
import gzip
import json
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from darkroom.serving.model_server.errors import Code, InvalidArgument, StatusError
from darkroom.serving.model_server.inference.examples import read_examples
from darkroom.serving.model_server.rest.json_documents import (
    LARGE_BYTES,
    MAX_PROCESSES,
    JsonDocuments,
)
from darkroom.serving.model_server.rest.json_examples import read_request
from darkroom.serving.model_server.rest.json_process import JsonProcess
from darkroom.serving.model_server.rest.json_request import read_inputs, read_signature_name
from darkroom.serving.protos.tensors import TYPES

BY_NAME = {type_.name: type_ for type_ in TYPES.values()}
SPACES = b" " * LARGE_BYTES


@pytest.fixture
def documents():
    opened = JsonDocuments()
    yield opened
    opened.close()


def read_with(documents, body, *calls):
    """Returns what functions of the document return."""

    async def run():
        async with documents.open(body) as read:
            return [await read(*call) for call in calls]

    return asyncio.run(run())


@pytest.fixture
def find_processes():
    """Returns what finds the processes that the test has started."""

    def find():
        children = psutil.Process().children()
        running = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
        return {child for child in running if "json_process" in str(child.cmdline())}

    others = find()
    return lambda: list(find() - others)


@pytest.mark.parametrize(
    ("type_", "rows"),
    [
        ("float", [[0.5, 1], [2, float("inf")]]),
        ("double", [0.1]),
        ("int64", [[[-(2**63)]], [[2**63 - 1]]]),
        ("uint8", [7, 300]),
        ("bool", [True, False]),
        ("string", [["", "é"], [{"b64": "AP8="}, "\x00"]]),
        ("float", [[]]),
    ],
)
def test_tensors_are_those_of_a_small_body(documents, type_, rows):
    small = json.dumps({"instances": rows, "signature_name": "s"}).encode()
    calls = ((read_signature_name,), (read_inputs, {"x": BY_NAME[type_]}))
    expected, found = (read_with(documents, body, *calls) for body in (small, small + SPACES))
    assert (expected[0], found[0]) == ("s", "s")
    left, right = (answers[1].tensors["x"] for answers in (expected, found))
    assert (right.dtype, right.shape) == (left.dtype, left.shape)
    np.testing.assert_array_equal(left, right)
    assert [type(leaf) for leaf in right.ravel()] == [type(leaf) for leaf in left.ravel()]
    assert right.flags.writeable


def test_many_strings_arrive_in_order(documents):
    rows = [str(number) * (number % 7) for number in range(200_000)]
    body = json.dumps({"inputs": rows}).encode()
    assert len(body) > LARGE_BYTES
    inputs = read_with(documents, body, (read_inputs, {"x": BY_NAME["string"]}))[0]
    assert inputs.tensors["x"].tolist() == [row.encode() for row in rows]


def test_examples_are_those_of_a_small_body(documents):
    body = json.dumps({"context": {"c": 1}, "examples": [{"x": [0.5], "s": "é"}, {}]}).encode()
    small, large = (
        read_with(documents, each, (read_request, "regression", "m"))[0]
        for each in (body, body + SPACES)
    )
    assert large == small
    assert type(large).DESCRIPTOR.name == "RegressionRequest"
    sent = large.input.example_list_with_context
    assert sent.context.features.feature["c"].int64_list.value == [1]
    assert [len(example.features.feature) for example in sent.examples] == [2, 0]


def test_context_that_takes_too_much_room_in_front_of_all_examples_is_refused():
    document = {"context": {"c": "." * 2**20}, "examples": [{}] * 40}
    request = read_request(document, "regression", "m")
    with pytest.raises(InvalidArgument, match=r"unfolds to \d+ bytes .* at most 33554432"):
        asyncio.run(read_examples(request.input))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'{"a": ',
        b'{"instances": ' + b"[" * 300,
        b'{"instances": [[1], "x"]}',
        b'{"instances": [true]}',
        b'{"instances": [1' + b"0" * 400 + b"]}",
        b'{"instances": [1], "inputs": [1]}',
    ],
)
def test_refusals_have_the_words_of_a_small_body(documents, body):
    call = (read_inputs, {"x": BY_NAME["float"]})
    refusals = []
    for each in (body, SPACES + body):
        with pytest.raises(StatusError) as caught:
            read_with(documents, each, call)
        text = caught.value.message.replace(f"offset: {len(SPACES) + len(body)}", "offset: END")
        refusals.append((caught.value.code, text.replace(f"offset: {len(body)}", "offset: END")))
    if body == b"":
        refusals[0] = (refusals[0][0], refusals[0][1] + ". at offset: END")
    assert refusals[0] == refusals[1]


def test_process_is_used_again_and_has_no_tensorflow(documents, find_processes):
    for _ in range(3):
        body = b'{"instances": [1]}' + SPACES
        modules = read_with(documents, body, (read_modules,))[0]
        assert "tensorflow" not in modules
    assert len(find_processes()) == 1
    documents.close()
    assert find_processes() == []


def read_modules(_):
    return list(sys.modules)


def test_processes_are_few(documents, find_processes):
    async def run():
        count = 0

        async def read_one():
            nonlocal count
            async with documents.open(b'{"instances": [1]}' + SPACES) as read:
                await read(read_signature_name)
                count = max(count, len(find_processes()))

        await asyncio.gather(*(read_one() for _ in range(3 * MAX_PROCESSES)))
        return count

    assert 0 < asyncio.run(run()) <= MAX_PROCESSES


def test_killed_process_is_an_error_once(documents, find_processes):
    body = b'{"instances": [1]}' + SPACES

    async def run():
        async with documents.open(body) as read:
            find_processes()[0].kill()
            await read(read_signature_name)

    with pytest.raises(StatusError, match="was killed") as caught:
        asyncio.run(run())
    assert caught.value.code is Code.UNAVAILABLE
    assert read_with(documents, body, (read_signature_name,)) == [""]


def test_process_that_died_idle_is_replaced(documents, find_processes):
    body = b'{"instances": [1]}' + SPACES
    read_with(documents, body)
    (process,) = find_processes()
    process.kill()
    process.wait(5)
    assert read_with(documents, body, (read_signature_name,)) == [""]


def test_work_that_nobody_waits_for_is_ended(documents, find_processes):
    async def run():
        async with documents.open(b'{"instances": [1]}' + SPACES) as read:
            await asyncio.wait_for(read(sleep_long), 0.2)

    started = time.monotonic()
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(run())
    assert time.monotonic() - started < 5
    assert find_processes() == []


def sleep_long(_):
    time.sleep(30)


ORPHAN = """
import asyncio, os, signal
import psutil
from darkroom.serving.model_server.rest.json_documents import LARGE_BYTES, JsonDocuments

async def main():
    documents = JsonDocuments()
    async with documents.open(b"{}" + b" " * LARGE_BYTES):
        print(psutil.Process().children()[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_process_ends_with_a_server_that_is_killed():
    process = subprocess.run(
        [sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == -signal.SIGKILL
    pid = int(process.stdout)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_decompressed_body_counts_as_large(http, monkeypatch):
    calls = []
    call = JsonProcess.call
    monkeypatch.setattr(JsonProcess, "call", lambda *args: [calls.append(1), call(*args)][1])
    for verb, body in (("predict", b'{"instances": [1.0]}'), ("classify", b'{"examples": [{}]}')):
        packed = gzip.compress(body + SPACES)
        assert len(packed) < LARGE_BYTES
        answer = http.post(
            f"/v1/models/zoo:{verb}", content=packed, headers={"Content-Encoding": "gzip"}
        )
        assert answer.status_code == 400, answer.text
        assert "JSON Parse error" not in answer.text
        assert calls
        calls.clear()

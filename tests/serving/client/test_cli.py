"""The client's command line against a running server."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from darkroom.serving.client import RestClient
from darkroom.serving.client.__main__ import main
from darkroom.tests.serving.client.doubles import (
    ScriptedGrpcServer,
    ScriptedHttpServer,
    http_answer,
)

REST = ["--model", "m", "--rest", "http://a"]


@pytest.fixture(params=["rest", "grpc"])
def server_arguments(request, rest_url, grpc_address):
    address = {"rest": rest_url, "grpc": grpc_address}[request.param]
    return [f"--{request.param}", address, "--model", "zoo"]


@pytest.fixture
def folder(tmp_path):
    """Twelve images, the last of which is broken, and something that is none."""
    path = tmp_path / "images"
    path.mkdir()
    for index in range(11):
        (path / f"{index:02}.png").write_bytes(b"x" * index)
    (path / "11.JPG").write_bytes(b"broken")
    (path / "labels.csv").write_bytes(b"a,b")
    (path / "more.png").mkdir()
    return path


@pytest.fixture
def files(folder):
    return [folder / name for name in ("05.png", "02.png", "11.JPG")]


def run(capsys, *arguments):
    code = main(list(map(str, arguments)))
    output = capsys.readouterr()
    return code, output.out, output.err


def expect(rest_url, paths, top_k=1):
    """The lines for files that can be decoded."""
    with RestClient(rest_url, "zoo") as client:
        predictions = client.predict([path.read_bytes() for path in paths])
    ranked = [prediction.top(top_k) for prediction in predictions]
    texts = [", ".join(f"{label} {score:.4f}" for label, score in pairs) for pairs in ranked]
    return [f"{path}: {text}" for path, text in zip(paths, texts, strict=True)]


def test_labels_and_scores_out(capsys, server_arguments, files, rest_url):
    code, output, errors = run(capsys, "predict", *files[:2], *server_arguments, "--top-k", "2")
    assert (code, errors) == (0, "")
    assert output.splitlines() == expect(rest_url, files[:2], top_k=2)


def test_folder_is_its_image_files_in_order(capsys, server_arguments, folder, rest_url):
    arguments = [*server_arguments, "--batch-size", "2", "--concurrency", "3"]
    code, output, errors = run(capsys, "predict", folder, *arguments)
    assert code == 1
    paths = [folder / f"{index:02}.png" for index in range(11)]
    broken = f"{folder / '11.JPG'}: not an image that the model can decode"
    assert output.splitlines() == [*expect(rest_url, paths), broken]
    assert errors.splitlines() == [f"client: {folder}: 12 images", "client: 1 of 12 images failed"]


def test_json_is_a_line_for_each_image(capsys, server_arguments, files, tmp_path):
    arguments = [*files, tmp_path / "nope.png", *server_arguments, "--top-k", "2", "--json"]
    code, output, _ = run(capsys, "predict", *arguments)
    good, _, broken, missing = map(json.loads, output.splitlines())
    assert code == 1
    assert (good["file"], good["valid"]) == (str(files[0]), True)
    assert good["top"][0] == {"label": good["label"], "score": good["score"]}
    assert len(good["top"]) == 2
    assert (broken["file"], broken["valid"], broken["label"]) == (str(files[2]), False, "")
    assert missing == {
        "file": str(tmp_path / "nope.png"),
        "error": "cannot be read: No such file or directory",
    }


def test_image_on_standard_input(capsys, monkeypatch, server_arguments, files, rest_url):
    stdin = io.TextIOWrapper(io.BytesIO(files[0].read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    code, output, _ = run(capsys, "predict", "-", *server_arguments)
    assert code == 0
    assert output == expect(rest_url, files[:1])[0].replace(str(files[0]), "-") + "\n"


def test_standard_input_is_one_image(capsys):
    code, output, errors = run(capsys, "predict", "-", "x", "-", *REST)
    assert (code, output) == (2, "")
    assert errors == "client: - is given twice; standard input is one image\n"


def test_file_that_cannot_be_read_costs_no_other_its_answer(
    capsys, server_arguments, files, tmp_path, rest_url
):
    empty = tmp_path / "empty"
    empty.mkdir()
    names = [files[0], tmp_path / "nope.png", empty, files[1]]
    code, output, errors = run(capsys, "predict", *names, *server_arguments)
    assert code == 1
    assert output.splitlines() == expect(rest_url, files[:2])
    missing, folder, summary = errors.splitlines()
    assert missing == f"client: {tmp_path / 'nope.png'}: cannot be read: No such file or directory"
    assert folder.startswith(f"client: {empty}: has no image files (.avif, ")
    assert summary == "client: 2 of 4 images failed"


def test_refusal_is_one_line_with_file_server_and_remedy(capsys, server_arguments, files):
    code, output, errors = run(capsys, "predict", files[0], *server_arguments, "--version", "9")
    assert (code, output) == (1, "")
    address = server_arguments[1]
    words = "Servable not found for request: Specific(zoo, 9)"
    assert errors.startswith(f"client: {files[0]}: {address}: {words} (")
    assert errors.endswith("; check --model and --version; the command `status` shows what is "
                           "served\n")  # fmt: skip
    assert errors.count("\n") == 1


def test_server_that_answers_nothing_is_given_up(capsys, server_arguments, folder):
    arguments = [*server_arguments, "--version", "9", "--batch-size", "1"]
    code, output, errors = run(capsys, "predict", folder, *arguments)
    assert (code, output) == (1, "")
    assert len(errors.splitlines()) == 3
    assert errors.endswith("client: 11 more images: given up, as the server answers nothing\n")


def answer_for(*labels):
    count = len(labels)
    outputs = {
        "label": labels, "score": [1] * count, "probabilities": [[1]] * count,
        "classes": [[label] for label in labels], "valid": [True] * count,
    }  # fmt: skip
    return http_answer(200, json.dumps({"outputs": outputs}).encode())


@pytest.mark.parametrize(
    "failure",
    [http_answer(503, b'{"error": "full"}'), http_answer(400, b'{"error": "no"}'), b"?"],
    ids=["unavailable", "refused", "not HTTP"],
)
def test_request_that_fails_costs_no_other_its_answer(capsys, files, failure):
    with ScriptedHttpServer(answer_for("a"), failure, answer_for("c")) as server:
        arguments = ["--rest", server.url, "--model", "m", "--batch-size", "1", "--retries", "0"]
        code, output, errors = run(capsys, "predict", *files, *arguments)
    assert code == 1
    assert output.splitlines() == [f"{files[0]}: a 1.0000", f"{files[2]}: c 1.0000"]
    failed, summary = errors.splitlines()
    assert failed.startswith(f"client: {files[1]}: {server.url}: ")
    assert summary == "client: 1 of 3 images failed"


def test_requests_are_tried_again(capsys, files):
    with ScriptedHttpServer(http_answer(503), answer_for("a")) as server:
        arguments = [files[0], "--rest", server.url, "--model", "m"]
        assert run(capsys, "predict", *arguments)[:2] == (0, f"{files[0]}: a 1.0000\n")
    with ScriptedHttpServer(http_answer(503), answer_for("a")) as server:
        arguments = [files[0], "--rest", server.url, "--model", "m", "--retries", "0"]
        assert run(capsys, "predict", *arguments, "--wait", "0")[0] == 1


def test_answer_comes_before_the_next_request_ends(files):
    with ScriptedHttpServer(answer_for("a"), [30, answer_for("b")]) as server:
        process = start("predict", *files, "--rest", server.url, "--model", "m", "--batch-size", 1)
        with process:
            assert process.stdout.readline() == f"{files[0]}: a 1.0000\n"
            process.kill()


def test_concurrent_requests_overlap_and_their_order_stays(capsys, folder):
    with ScriptedHttpServer(*([0.6 - 0.04 * n, answer_for(str(n))] for n in range(12))) as server:
        arguments = ["--rest", server.url, "--model", "m", "--batch-size", 1, "--concurrency", 12]
        started = time.monotonic()
        code, output, _ = run(capsys, "predict", folder, *arguments)
        assert time.monotonic() - started < 3
    assert code == 0
    names = [line.split(": ")[0] for line in output.splitlines()]
    assert names == sorted(names) and len(names) == 12


def test_time_limit(capsys, files):
    with ScriptedHttpServer([5, answer_for("a")]) as server:
        arguments = [files[0], "--rest", server.url, "--model", "m", "--timeout", "0.2"]
        code, _, errors = run(capsys, "predict", *arguments)
    assert code == 1
    assert errors.endswith("no answer within 0.2 s; --timeout gives it longer\n")


def test_headers_and_compression(capsys, files, tmp_path):
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer x\n")
    with ScriptedHttpServer(answer_for("a")) as server:
        arguments = [files[0], "--rest", server.url, "--model", "m", "--gzip", "--headers", headers]
        assert run(capsys, "predict", *arguments)[0] == 0
        ((head, _),) = server.requests
    assert "authorization: Bearer x" in head and "content-encoding: gzip" in head


# --- status and metadata -------------------------------------------------------------------------


def test_status_on_the_command_line(capsys, server_arguments):
    assert run(capsys, "status", *server_arguments)[:2] == (0, "zoo version 3: AVAILABLE\n")
    code, output, _ = run(capsys, "status", *server_arguments, "--json")
    assert (code, json.loads(output)[0]["version"]) == (0, 3)


def test_metadata_on_the_command_line(capsys, server_arguments):
    code, output, _ = run(capsys, "metadata", *server_arguments)
    assert code == 0
    assert (
        "add (tensorflow/serving/predict)\n"
        "  takes x: float [?]\n"
        "  takes y: float [?]\n"
        "  gives z: float [?]\n"
    ) in output
    assert "  takes x: float of any shape\n" in output
    assert "__saved_model" not in output
    code, output, _ = run(capsys, "metadata", *server_arguments, "--json")
    add = json.loads(output)["add"]
    assert add["inputs"]["x"] == {"type_name": "float", "shape": [None]}


def test_refusal_of_a_status_is_one_line(capsys, server_arguments):
    code, output, errors = run(capsys, "status", *server_arguments[:3], "nope")
    assert (code, output, errors.count("\n")) == (1, "", 1)
    assert "Could not find any versions of model nope" in errors


# --- the process ---------------------------------------------------------------------------------


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "darkroom.serving.client", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("script", [[60, b""], http_answer(503)], ids=["silent", "unavailable"])
def test_interrupt_ends_it_at_once(files, script):
    patience = ["--retries", 99, "--wait", 0]
    with (
        ScriptedHttpServer(script) as server,
        start("predict", *files, "--rest", server.url, "--model", "m", *patience) as process,
    ):
        interrupt(process, server)


def test_interrupt_ends_a_grpc_request_at_once(files):
    released = threading.Event()
    with (
        ScriptedGrpcServer(lambda request: released.wait(60)) as server,
        start("predict", *files, "--grpc", server.address, "--model", "m") as process,
    ):
        interrupt(process, server)
        released.set()


def interrupt(process, server):
    """Waits until the server has a request, and checks how the process ends."""
    while not server.requests:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    # The answer, or the next try, would come much later.
    output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (130, "", "")


@pytest.mark.parametrize("option", ["--json", "--batch-size=1"])
def test_reader_that_goes_away_is_no_error(folder, rest_url, option):
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "darkroom.serving.client", "predict", str(folder), option]
    process = subprocess.run(
        [*command, "--rest", rest_url, "--model", "zoo"],
        stdout=write_end, stderr=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    os.close(write_end)
    assert process.returncode == 141
    assert process.stderr.decode() == f"client: {folder}: 12 images\n"


# --- refused command lines -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "x.png", "--model", "m"],
        ["predict", "x.png", *REST, "--grpc", "a:1"],
        ["predict", "x.png", "--rest", "http://a"],
        ["predict", *REST],
        ["predict", "x.png", *REST, "--top-k", "0"],
        ["predict", "x.png", *REST, "--batch-size", "0"],
        ["predict", "x.png", *REST, "--concurrency", "-1"],
        ["predict", "x.png", *REST, "--retries", "-1"],
        ["predict", "x.png", *REST, "--timeout", "0"],
        ["predict", "x.png", *REST, "--timeout", "inf"],
        ["predict", "x.png", *REST, "--label", "a", "--version", "1"],
        ["status", "x.png", *REST],
        [],
    ],
)
def test_refused_command_line(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "", "--rest", "http://a"], "model is empty; give the name"),
        (["--model", "m", "--rest", "a:1"], "'a:1' is no URL of a server"),
        (["--model", "m", "--grpc", "http://a:1"], "'http://a:1' is a URL; gRPC takes HOST:PORT"),
        ([*REST, "--tls"], "certificates are given, but http://a is not https"),
        ([*REST, "--headers", "/nope"], "cannot read /nope: No such file or directory"),
        ([*REST, "--ca", "/nope"], "cannot use /nope as ca: No such file or directory"),
    ],
)
def test_arguments_that_are_refused_in_one_line(capsys, arguments, message):
    code, output, errors = run(capsys, "predict", "x", *arguments)
    assert (code, output) == (2, "")
    assert errors.startswith(f"client: {message}") and errors.count("\n") == 1

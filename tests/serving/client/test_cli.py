"""The client's command line against a running server."""

import json

import pytest

from serving.client import RestClient
from serving.client.__main__ import main


@pytest.fixture(params=["rest", "grpc"])
def server_arguments(request, rest_url, grpc_address):
    address = {"rest": rest_url, "grpc": grpc_address}[request.param]
    return [f"--{request.param}", address, "--model", "zoo"]


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(3)]
    for path, content in zip(paths, (b"hello", b"hi", b"broken"), strict=True):
        path.write_bytes(content)
    return paths


def run(capsys, *arguments):
    code = main(list(map(str, arguments)))
    output = capsys.readouterr()
    return code, output.out, output.err


def test_labels_and_scores_out(capsys, server_arguments, files, rest_url):
    with RestClient(rest_url, "zoo") as client:
        predictions = client.predict([b"hello", b"hi"])
    code, output, _ = run(capsys, "predict", *files[:2], *server_arguments, "--batch-size", "1")
    expected = [
        f"{path}: {prediction.label} {prediction.score:.4f}"
        for path, prediction in zip(files[:2], predictions, strict=True)
    ]
    assert code == 0
    assert output.splitlines() == expected


def test_top_k_as_json(capsys, server_arguments, files):
    code, output, _ = run(capsys, "predict", files[0], *server_arguments, "--top-k", "2", "--json")
    (entry,) = json.loads(output)
    assert code == 0
    assert (entry["file"], entry["valid"]) == (str(files[0]), True)
    assert entry["top"][0] == {"label": entry["label"], "score": entry["score"]}
    assert len(entry["top"]) == 2


def test_image_that_the_model_cannot_decode(capsys, server_arguments, files):
    code, output, _ = run(capsys, "predict", *files, *server_arguments)
    assert code == 1
    assert output.splitlines()[2] == f"{files[2]}: not an image that the model can decode"


def test_missing_file_is_one_line(capsys, server_arguments, files, tmp_path):
    code, output, errors = run(
        capsys, "predict", files[0], tmp_path / "nope.png", *server_arguments
    )
    assert (code, output) == (2, "")
    assert errors == f"client: cannot read {tmp_path / 'nope.png'}: No such file or directory\n"


def test_refusal_is_one_line(capsys, server_arguments, files):
    code, output, errors = run(capsys, "predict", files[0], *server_arguments, "--version", "9")
    assert (code, output) == (1, "")
    assert errors.startswith("client: Servable not found for request: Specific(zoo, 9) (")
    assert errors.count("\n") == 1


def test_status_on_the_command_line(capsys, server_arguments):
    assert run(capsys, "status", *server_arguments)[:2] == (0, "zoo version 3: AVAILABLE\n")
    code, output, _ = run(capsys, "status", *server_arguments, "--json")
    assert (code, json.loads(output)[0]["version"]) == (0, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "x.png", "--model", "m"],
        ["predict", "x.png", "--model", "m", "--rest", "http://a", "--grpc", "a:1"],
        ["predict", "x.png", "--rest", "http://a"],
        ["predict", "--model", "m", "--rest", "http://a"],
        ["predict", "x.png", "--model", "m", "--rest", "http://a", "--top-k", "0"],
        [
            "predict",
            "x.png",
            "--model",
            "m",
            "--rest",
            "http://a",
            "--label",
            "a",
            "--version",
            "1",
        ],
        [],
    ],
)
def test_refused_command_line(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_empty_model_name(capsys):
    code, _, errors = run(capsys, "predict", "x", "--model", "", "--rest", "http://a")
    assert code == 2
    assert errors == "client: model is empty; give the name the server serves it by\n"

"""Reaching the server: credentials, TLS, wrong addresses; and what kfp's own client makes of it."""

import re
import socket
import ssl
import subprocess
import sys
import textwrap

import pytest
import trustme
import yaml

from darkroom.kubeflow import submit
from darkroom.kubeflow.server.access import Credentials, read_access
from darkroom.kubeflow.server.rest import Patience
from darkroom.tests.kubeflow.api_double import BASE, ApiDouble, serve
from darkroom.tests.kubeflow.commands import QUICK, job_arguments

SECRET = "top-secret-token"


@pytest.fixture
def double():
    with serve(ApiDouble()) as served:
        yield served


def run(host, recipe, *more, patience=QUICK):
    return submit.main(job_arguments(host, recipe, *more), patience, interval=0.001)


def refused(capsys, host, recipe, *more, code=2, patience=QUICK):
    """The line that a refused call ends with."""
    assert run(host, recipe, *more, patience=patience) == code
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert SECRET not in captured.err + captured.out
    return captured.err.removeprefix("error: ").rstrip("\n")


def test_a_token_lets_in(double, recipe, monkeypatch, capsys):
    double.token = SECRET
    monkeypatch.setenv("KFP_TOKEN", f" {SECRET}\n")
    assert run(double.url, recipe) == 0
    assert SECRET not in "".join(capsys.readouterr())


def test_a_cookie_lets_in(double, recipe, monkeypatch):
    double.cookie = "authservice_session=abc"
    monkeypatch.setenv("KFP_COOKIE", "authservice_session=abc")
    assert run(double.url, recipe) == 0


def test_a_file_with_a_token_is_read_anew_for_each_request(double, recipe, monkeypatch, tmp_path):
    path = tmp_path / "token"
    path.write_text("first\n")
    monkeypatch.setenv("KFP_TOKEN_FILE", str(path))
    receive = double.receive

    def rotate(request):
        answer = receive(request)
        path.write_text(f"number-{len(double.sent)}")
        double.token = path.read_text()
        return answer

    double.token = "first"
    monkeypatch.setattr(double, "receive", rotate)
    assert run(double.url, recipe, "--wait") == 0
    assert len({sent.headers["authorization"] for sent in double.sent}) == len(double.sent)


def test_without_credentials_401_says_what_to_set(double, recipe, capsys):
    double.token = SECRET
    line = refused(capsys, double.url, recipe)
    assert line.startswith(f"{double.url}: 401 unauthorized")
    assert line.endswith("; set KFP_TOKEN, KFP_TOKEN_FILE or KFP_COOKIE")


def test_a_token_that_is_not_taken_is_not_shown_though_the_server_does(
    double, recipe, capsys, monkeypatch
):
    double.token = "another"
    monkeypatch.setenv("KFP_TOKEN", SECRET)
    line = refused(capsys, double.url, recipe)
    assert "401 unauthorized: Bearer ***" in line
    assert line.endswith("the token or cookie is not accepted, perhaps no longer: get a new one")
    assert SECRET not in repr(read_access(double.url, "", {"KFP_TOKEN": SECRET}))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"KFP_TOKEN": f"{SECRET}\nX: y"}, "KFP_TOKEN: holds characters that no HTTP header can"),
        ({"KFP_COOKIE": f"{SECRET}\x00"}, "KFP_COOKIE: holds characters that no HTTP header can"),
        ({"KFP_TOKEN_FILE": "/nowhere"}, "KFP_TOKEN_FILE: cannot read '/nowhere' (No such file"),
    ],
)
def test_credentials_that_cannot_be_sent_are_named(
    double, recipe, capsys, monkeypatch, environment, message
):
    # The system's own environment takes no zero byte.
    monkeypatch.setattr("os.environ", environment)
    assert message in refused(capsys, double.url, recipe)
    assert not double.sent


def test_several_users_need_a_namespace(double, recipe, capsys):
    double.multi_user = True
    assert refused(capsys, double.url, recipe).startswith(
        f"--namespace: {double.url} has several users"
    )
    assert run(double.url, recipe, "--namespace", "ann") == 0


def test_tls_is_verified(recipe, capsys, tmp_path, monkeypatch):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with serve(ApiDouble(), context) as double:
        line = refused(capsys, double.url, recipe)
        assert line.startswith(f"{double.url}: TLS failed (") and "--ca or KFP_CA_CERT" in line
        assert len(double.sent) == 0
        assert run(double.url, recipe, "--ca", str(bundle)) == 0
        monkeypatch.setenv("KFP_CA_CERT", str(bundle))
        assert run(double.url, recipe) == 0
        line = refused(capsys, double.url.replace("127.0.0.1", "localhost"), recipe)
        assert "TLS failed" in line and "localhost" in line
        line = refused(capsys, double.url, recipe, "--ca", str(recipe))
        assert line.startswith(f"--ca: cannot read '{recipe}' (")
        line = refused(capsys, double.url, recipe, "--ca", "/nowhere.pem")
        assert line.startswith("--ca: cannot read '/nowhere.pem' (No such file or directory)")


def test_tls_to_a_server_without_it_says_so(double, recipe, capsys):
    line = refused(capsys, double.url.replace("http:", "https:"), recipe)
    assert "TLS failed" in line and "http:// where the server speaks no TLS" in line


def test_nobody_at_the_port(recipe, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{taken.getsockname()[1]}"
        line = refused(capsys, host, recipe, code=1)
    assert line.startswith(f"{host}: no connection (") and line.endswith("(tried 4 times)")
    assert "Connection refused" in line


def test_a_name_that_is_none(recipe, capsys):
    line = refused(capsys, "http://kubeflow.invalid", recipe, code=1)
    assert line.startswith("http://kubeflow.invalid: no connection (")


def test_a_server_that_never_answers(double, recipe, capsys):
    double.always = (0, "slow")
    patience = Patience(attempts=2, first_pause=0.001, read=0.1)
    line = refused(capsys, double.url, recipe, code=1, patience=patience)
    assert line == (
        f"{double.url}: no answer in time; check that the server, ml-pipeline, is well "
        "(tried 2 times)"
    )


@pytest.mark.parametrize(
    ("status", "headers", "content", "message"),
    [
        (404, {"Content-Type": "text/html"}, b"<h1>no</h1>", "404 Not Found; check --host: there "),
        (200, {"Content-Type": "text/html"}, b"<form>", "answers with a web page (200)"),
        (200, {"Content-Type": "application/json"}, b"[1", "answers with something that is no "),
        (200, {"Content-Type": "application/json"}, b"null", "answers with something that is no "),
        (200, {"Content-Type": "application/json"}, b"[]", "answers with something that is no "),
        (302, {"Location": "https://dex.example/auth?state=x"}, b"", "sends on to https://dex."),
        (403, {"Content-Type": "text/plain"}, b"RBAC: access denied", "403 RBAC: access denied; "),
        (400, {"Content-Type": "application/json"}, b'{"error_message": "bad\\nname"}', "bad name"),
        (418, {}, b"\xff\xfe", "418 "),
    ],
)
def test_what_is_no_kubeflow_is_told_by_one_line(
    double, recipe, capsys, status, headers, content, message
):
    double.page = (status, headers, content)
    assert message in refused(capsys, double.url, recipe)
    assert len(double.sent) == 1


def test_a_server_of_another_kind_that_has_health_as_well(double, recipe, capsys):
    double.page = (200, {"Content-Type": "application/json"}, b'{"status": "ok"}')
    assert "answers with something that is no V2beta1" in refused(capsys, double.url, recipe)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("kubeflow.example.com", "https://kubeflow.example.com"),
        ("http://localhost:8888/", "http://localhost:8888"),
        ("https://k.example/pipeline/#/runs", "https://k.example/pipeline"),
        ("https://k.example/pipeline/apis/v2beta1/runs?x=1", "https://k.example/pipeline"),
    ],
)
def test_an_address_is_cut_to_what_is_common(host, base):
    assert read_access(host, "", {}).host == base


@pytest.mark.parametrize(
    "host",
    [
        "ftp://k.example",
        "https://",
        "https://ann:pw@k.example",
        "http://[::1",
        "http://k:99999",
        "k:a",
    ],
)
def test_an_address_that_does_not_do(recipe, capsys, host):
    assert refused(capsys, host, recipe).startswith("--host: ")


def test_credentials_do_not_show_themselves():
    assert SECRET not in repr(Credentials({"KFP_TOKEN": SECRET}))


def test_kfps_own_client_is_content_with_the_double(double, tmp_path):
    """The requests are those that `kfp.Client` is known to make: the double is no easier."""
    pipeline = {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.5.0",
        "pipelineInfo": {"name": "small"},
        "root": {"dag": {"tasks": {}}},
        "components": {},
        "deploymentSpec": {"executors": {}},
    }
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(pipeline))
    script = f"""
        import kfp
        client = kfp.Client(host={double.url!r})
        run = client.create_run_from_pipeline_package({str(file)!r}, experiment_name="small")
        assert client.wait_for_run_completion(run.run_id, 10, 0).state == "SUCCEEDED"
    """
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, env=environment, timeout=120
    )
    made = [re.sub(r"-\d+$", "", f"{sent.method} {sent.path}") for sent in double.sent]
    assert made == [
        f"GET {BASE}/healthz",
        f"GET {BASE}/experiments",
        f"POST {BASE}/experiments",
        f"POST {BASE}/runs",
        f"GET {BASE}/runs/runs",
    ]

"""Secured connections of both protocols, to servers of the test's own."""

import contextlib
import json
import time

import grpc
import pytest
import trustme

from darkroom.serving.client import (
    GrpcClient,
    RestClient,
    RetryPolicy,
    TlsConfig,
    TlsError,
    UnavailableError,
)
from darkroom.serving.client.__main__ import main
from darkroom.tests.serving.client.doubles import (
    ScriptedGrpcServer,
    ScriptedHttpServer,
    http_answer,
    message,
    server_context,
)

HTTP_OK = http_answer(200, json.dumps({"model_version_status": []}).encode())
# So many tries with such pauses that a test that sees them takes minutes.
PATIENT = RetryPolicy(attempts=5, first_delay_seconds=20, max_delay_seconds=20)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(tmp_path_factory, authority, stranger):
    """Paths of PEM files by name."""
    folder = tmp_path_factory.mktemp("pem")
    for name, owner in (("ca", authority), ("other_ca", stranger)):
        owner.cert_pem.write_to_path(folder / f"{name}.pem")
        certificate = owner.issue_cert("client@example.org")
        certificate.private_key_pem.write_to_path(folder / f"{name}_key.pem")
        certificate.cert_chain_pems[0].write_to_path(folder / f"{name}_cert.pem")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture(params=["rest", "grpc"])
def serve(request, authority):
    """Starts a secured server; returns it, its address, and the class of its client."""

    def start_rest(name="127.0.0.1", is_mutual=False):
        context = server_context(authority, name, authority if is_mutual else None)
        return ScriptedHttpServer(HTTP_OK, context=context)

    def start_grpc(name="127.0.0.1", is_mutual=False):
        certificate = authority.issue_cert(name)
        credentials = grpc.ssl_server_credentials(
            [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())],
            authority.cert_pem.bytes() if is_mutual else None,
            is_mutual,
        )
        return ScriptedGrpcServer(message("GetModelStatusResponse"), credentials=credentials)

    return {"rest": start_rest, "grpc": start_grpc}[request.param]


def ask(server, retry=PATIENT, **options):
    tls = TlsConfig(**options)
    if isinstance(server, ScriptedHttpServer):
        client = RestClient(server.url, "m", 30, retry, tls=tls)
    else:
        client = GrpcClient(server.address, "m", 30, retry, tls=tls)
    with client:
        first = client.get_status()
        assert client.get_status() == first
    return first


def test_server_whose_authority_is_trusted(serve, files):
    with serve() as server:
        assert ask(server, ca=files["ca"]) == []


def test_connection_is_kept(authority, files):
    server = ScriptedHttpServer(HTTP_OK, context=server_context(authority))
    with server, RestClient(server.url, "m", tls=TlsConfig(ca=files["ca"])) as client:
        for _ in range(3):
            client.get_status()
        assert server.connections == 1


@pytest.mark.parametrize("options", [{}, {"ca": "other_ca"}])
def test_server_of_another_authority_is_refused_at_once(serve, files, options):
    options = {name: files[file] for name, file in options.items()}
    started = time.monotonic()
    with serve() as server, pytest.raises(TlsError, match=r"127.0.0.1:\d+: "):
        ask(server, **options)
    assert time.monotonic() - started < 10


def test_server_of_another_name(serve, files):
    with serve(name="models.example.org") as server:
        with pytest.raises(TlsError):
            ask(server, ca=files["ca"])
        assert ask(server, ca=files["ca"], server_name="models.example.org") == []


def test_mutual_tls(serve, files):
    with serve(is_mutual=True) as server:
        certificate = {"cert": files["ca_cert"], "key": files["ca_key"]}
        assert ask(server, ca=files["ca"], **certificate) == []


@pytest.mark.parametrize("owner", [None, "other_ca"])
def test_client_whose_certificate_the_server_refuses(serve, files, owner):
    certificate = {"cert": files[f"{owner}_cert"], "key": files[f"{owner}_key"]} if owner else {}
    # The server may hang up without a reason, which may pass for a server that goes down.
    with serve(is_mutual=True) as server, pytest.raises((TlsError, UnavailableError)):
        ask(server, RetryPolicy(attempts=1), ca=files["ca"], **certificate)


def test_server_without_tls():
    class Plain(ScriptedHttpServer):
        def _serve(self, sock):
            with contextlib.suppress(OSError):
                sock.sendall(http_answer(400))
                sock.recv(1000)

    with (
        Plain() as server,
        RestClient(server.url.replace("http", "https"), "m") as client,
        pytest.raises(TlsError, match="no secure connection"),
    ):
        client.get_status()
    with (
        ScriptedGrpcServer(message("GetModelStatusResponse")) as server,
        GrpcClient(server.address, "m", tls=TlsConfig()) as client,
        pytest.raises(TlsError, match="no secure connection"),
    ):
        client.get_status()


@pytest.mark.parametrize(
    ("options", "message_part"),
    [
        ({"ca": "nope.pem"}, "cannot use .*nope.pem as ca: No such file or directory"),
        ({"cert": "ca_cert"}, "needs both cert and key"),
        ({"cert": "ca_cert", "key": "nope.pem"}, "nope.pem as cert and key: No such file"),
        ({"cert": "ca_cert", "key": "other_ca_key"}, "KEY_VALUES_MISMATCH"),
        ({"ca": "ca_key"}, "cannot use .*ca_key.pem as ca"),
    ],
)
def test_files_that_are_unfit(files, tmp_path, options, message_part):
    paths = {name: files.get(file, tmp_path / file) for name, file in options.items()}
    with pytest.raises(ValueError, match=message_part):
        TlsConfig(**paths)


def test_encrypted_key_does_not_ask_for_a_password_on_the_terminal(files, tmp_path):
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(files["ca_key"].read_bytes(), None)
    path = tmp_path / "key.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ValueError, match=r"key.pem is encrypted; give a key without a password"):
        TlsConfig(cert=files["ca_cert"], key=path)


def test_certificates_for_a_url_that_is_not_secured(files):
    with pytest.raises(ValueError, match="http://a is not https"):
        RestClient("http://a", "m", tls=TlsConfig(ca=files["ca"]))


def test_command_line(serve, files, capsys):
    with serve(name="models.example.org", is_mutual=True) as server:
        is_rest = isinstance(server, ScriptedHttpServer)
        address = ["--rest", server.url] if is_rest else ["--grpc", server.address]
        arguments = ["status", *address, "--model", "m", "--json", "--timeout", "5"]
        tls = ["--ca", files["ca"], "--cert", files["ca_cert"], "--key", files["ca_key"]]
        tls = [*map(str, tls), "--server-name", "models.example.org"]
        assert main([*arguments, *tls]) == 0
        assert main([*arguments, *tls[:-2], "--retries", "0"]) == 1
        assert "--ca names the authority" in capsys.readouterr().err
        assert main([*arguments, "--cert", str(files["ca_cert"])]) == 2

"""TLS of the gRPC API: who gets in, and which configurations are refused."""

import grpc
import pytest
import trustme

from darkroom.serving.model_server.errors import StartError
from darkroom.serving.model_server.grpc_api.tls import read_server_credentials
from darkroom.tests.serving.grpc_api.grpc_servers import open_channel, predict, run_server

HOST = "localhost"


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(scope="module")
def other_ca():
    return trustme.CA()


def write_config(path, **fields):
    lines = [
        f'{name}: "{value.decode().encode("unicode_escape").decode()}"'
        if isinstance(value, bytes)
        else f"{name}: {str(value).lower()}"
        for name, value in fields.items()
    ]
    path.write_text("\n".join(lines))
    return path


def pem(authority):
    return authority.cert_pem.bytes()


def server_fields(ca):
    certificate = ca.issue_cert(HOST)
    return {
        "server_key": certificate.private_key_pem.bytes(),
        "server_cert": b"".join(blob.bytes() for blob in certificate.cert_chain_pems),
    }


def client_credentials(ca, certificate=None):
    if certificate is None:
        return grpc.ssl_channel_credentials(pem(ca))
    return grpc.ssl_channel_credentials(
        pem(ca),
        certificate.private_key_pem.bytes(),
        b"".join(blob.bytes() for blob in certificate.cert_chain_pems),
    )


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory, ca):
    folder = tmp_path_factory.mktemp("tls")
    config = write_config(folder / "ssl.cfg", **server_fields(ca))
    with run_server(
        folder, ssl_config_file=config, grpc_socket_path=folder / "s", host="127.0.0.1"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def mutual_server(tmp_path_factory, ca):
    folder = tmp_path_factory.mktemp("mutual")
    fields = server_fields(ca) | {"custom_ca": pem(ca), "client_verify": True}
    with run_server(folder, ssl_config_file=write_config(folder / "ssl.cfg", **fields)) as running:
        yield running


def ask(server, credentials, timeout=5):
    with open_channel(f"{HOST}:{server.server.port}", credentials) as channel:
        return predict(channel, timeout=timeout)


def assert_turned_away(server, credentials):
    with pytest.raises(grpc.RpcError) as caught:
        ask(server, credentials)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_client_that_knows_the_authority_is_served(tls_server, ca):
    assert ask(tls_server, client_credentials(ca)) == b"hello"


def test_unix_socket_has_tls_as_well(tls_server, ca):
    address = f"unix:{tls_server.server._config.grpc_socket_path}"
    name = [("grpc.ssl_target_name_override", HOST)]
    with grpc.secure_channel(address, client_credentials(ca), name) as channel:
        assert predict(channel) == b"hello"
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError):
        predict(channel, timeout=3)


def test_client_that_trusts_another_authority_turns_away(tls_server, other_ca):
    assert_turned_away(tls_server, client_credentials(other_ca))


def test_client_without_tls_gets_nothing(tls_server, mutual_server):
    assert_turned_away(tls_server, None)
    assert_turned_away(mutual_server, None)


def test_client_with_a_certificate_of_the_authority_is_served(mutual_server, ca):
    credentials = client_credentials(ca, ca.issue_cert("client"))
    assert ask(mutual_server, credentials) == b"hello"


def test_client_without_certificate_is_turned_away(mutual_server, ca):
    assert_turned_away(mutual_server, client_credentials(ca))


def test_client_with_a_certificate_of_another_authority_is_turned_away(mutual_server, ca, other_ca):
    assert_turned_away(mutual_server, client_credentials(ca, other_ca.issue_cert("client")))


def test_server_goes_on_after_clients_that_were_turned_away(mutual_server, ca):
    credentials = client_credentials(ca, ca.issue_cert("client"))
    for _ in range(3):
        assert_turned_away(mutual_server, client_credentials(ca))
        assert ask(mutual_server, credentials) == b"hello"


ENCRYPTED = (
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI\n"
    b"-----END ENCRYPTED PRIVATE KEY-----\n"
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"server_key": b""}, "has no server_key; give the text of a PEM file"),
        ({"server_cert": b""}, "has no server_cert; give the text of a PEM file"),
        ({"server_key": b"nonsense"}, "server_key is not the text of a PEM private key"),
        ({"server_key": ENCRYPTED}, "server_key is not the text of a PEM private key"),
        ({"server_cert": b"nonsense"}, "server_cert is not the text of PEM certificates"),
        ({"server_cert": b"/etc/ssl/server.crt"}, "server_cert is not the text of PEM"),
        ({"custom_ca": b"nonsense"}, "custom_ca is not the text of PEM certificates"),
        ({"client_verify": True}, "has client_verify and no custom_ca"),
    ],
)
def test_configuration_that_is_refused(tmp_path, ca, change, message):
    fields = server_fields(ca) | change
    path = write_config(tmp_path / "ssl.cfg", **fields)
    with pytest.raises(StartError) as caught:
        read_server_credentials(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_key_of_another_certificate_is_refused(tmp_path, ca):
    fields = server_fields(ca) | {"server_key": ca.issue_cert(HOST).private_key_pem.bytes()}
    with pytest.raises(StartError, match="server_key is not the key of server_cert"):
        read_server_credentials(write_config(tmp_path / "ssl.cfg", **fields))


@pytest.mark.parametrize(
    "text",
    [
        "server_key: SECRETSECRET",
        'server_key: "SECRETSECRET" SECRETSECRET',
        'server_key: "SECRETSECRET',
        'server_kee: "SECRETSECRET"',
    ],
)
def test_file_that_is_no_configuration_does_not_show_its_key(tmp_path, text):
    path = tmp_path / "ssl.cfg"
    path.write_text(text)
    with pytest.raises(StartError) as caught:
        read_server_credentials(path)
    kind = "text-format tensorflow.serving.SSLConfig"
    assert str(caught.value).startswith(f"ssl_config_file: {path}: Error parsing {kind}: 1:")
    assert "SECRET" not in str(caught.value)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(StartError, match=r"ssl_config_file: cannot read .*: No such file"):
        read_server_credentials(tmp_path / "nope")


@pytest.mark.parametrize(("has_rest", "warnings"), [(True, 1), (False, 0)])
def test_rest_that_asks_for_no_certificate_is_warned_of(tmp_path, ca, caplog, has_rest, warnings):
    fields = server_fields(ca) | {"custom_ca": ca.cert_pem.bytes(), "client_verify": True}
    read_server_credentials(write_config(tmp_path / "ssl.cfg", **fields), has_rest)
    assert ["REST everybody" in message for message in caplog.messages] == [True] * warnings

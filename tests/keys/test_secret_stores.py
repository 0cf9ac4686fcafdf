"""Keys from secret stores: each asked through its own library, over a real socket, and only where settings refer to it.

What the stores answer is as in their API references.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import logging
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import Any, Self

import pytest

from homeostasis_llm import APIKeyManager
from homeostasis_llm.config import SecretReference, config_path
from homeostasis_llm.keys import secret_stores
from homeostasis_llm.keys.errors import SourceTroubleError
from homeostasis_llm.keys.lookup import Where, find_key, key_status
from homeostasis_llm.keys.secret_stores import read_secret
from tests.loopback import Loopback

KEY = "sk-QZJX-the-key-of-this-test"


def refer(reference: str) -> None:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'[providers.openai]\napi_key_secret = "{reference}"\n', encoding="utf-8")


def problem(reference: SecretReference, seconds: float = 30) -> str:
    with pytest.raises(SourceTroubleError) as caught:
        read_secret(reference, seconds)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------------ AWS


@pytest.fixture
def aws(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """An endpoint of AWS Secrets Manager, and credentials for it."""
    pytest.importorskip("boto3", reason="needs the extra aws")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", loopback.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "an example")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return loopback


def secret(**told: object) -> dict[str, object]:
    return {"ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:llm/openai-a1b2c3", **told}


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (secret(SecretString=KEY), None),
        (secret(SecretString=json.dumps({"OPENAI_API_KEY": KEY, "other": "x"})), "OPENAI_API_KEY"),
        (secret(SecretBinary=base64.b64encode(KEY.encode()).decode()), None),
    ],
)
def test_a_key_comes_out_of_aws(answer: dict[str, object], field: str | None, aws: Loopback) -> None:
    aws.reply(json=answer, headers={"content-type": "application/x-amz-json-1.1"})
    refer(f"aws-secretsmanager:llm/openai{'' if field is None else f'#{field}'}")

    found = find_key("openai")

    assert found is not None
    assert found.secret.get_secret_value() == KEY
    assert found.source == f"aws-secretsmanager:llm/openai{'' if field is None else f'#{field}'}"
    (asked,) = aws.requests
    assert asked.json == {"SecretId": "llm/openai"}
    assert asked.headers["x-amz-target"] == "secretsmanager.GetSecretValue"


@pytest.mark.parametrize(
    ("answer", "field", "trouble"),
    [
        (
            {"SecretString": '{"a": "x", "b": "y"}'},
            None,
            "has several fields under llm/openai; name one, as in aws-secretsmanager:llm/openai#FIELD, of a, b",
        ),
        (
            {"SecretString": '{"a": "x", "b": 1}'},
            "b",
            "has no field b under llm/openai; name one, as in aws-secretsmanager:llm/openai#FIELD, of a, b",
        ),
        ({"SecretString": "x"}, "a", "has one value under llm/openai, and no fields: leave out #a"),
    ],
)
def test_what_aws_has_is_told_by_its_fields_alone(
    answer: dict[str, object], field: str | None, trouble: str, aws: Loopback
) -> None:
    aws.reply(json=secret(**answer))

    said = problem(SecretReference("aws-secretsmanager", "llm/openai", field))

    assert said == f"AWS Secrets Manager {trouble}"


def test_what_aws_refuses_is_told(aws: Loopback) -> None:
    told = "Secrets Manager can't find the specified secret."
    aws.reply(status=400, json={"__type": "ResourceNotFoundException", "Message": told})

    said = problem(SecretReference("aws-secretsmanager", "llm/openai"))

    assert said == f"AWS Secrets Manager refused llm/openai: ResourceNotFoundException: {told}"


def test_the_region_of_an_arn_counts(aws: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    aws.reply(json=secret(SecretString=KEY))

    arn = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:llm/openai"
    assert read_secret(SecretReference("aws-secretsmanager", arn)).get_secret_value() == KEY
    assert "/ap-south-1/secretsmanager/" in aws.requests[0].headers["authorization"]


@pytest.mark.parametrize(
    ("variable", "trouble"),
    [
        ("AWS_DEFAULT_REGION", "has no region to be asked in; set AWS_DEFAULT_REGION"),
        ("AWS_ACCESS_KEY_ID", "cannot be asked without AWS credentials; see `aws configure`"),
    ],
)
def test_what_aws_lacks_here_is_told(
    variable: str, trouble: str, aws: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)

    assert problem(SecretReference("aws-secretsmanager", "llm/openai")) == f"AWS Secrets Manager {trouble}"
    assert aws.requests == []


def test_aws_is_not_waited_for_longer_than_it_may_take(aws: Loopback) -> None:
    aws.always(delay=0.5, json=secret(SecretString=KEY))

    said = problem(SecretReference("aws-secretsmanager", "llm/openai"), seconds=0.01)

    assert said == "AWS Secrets Manager did not answer within 0.01 s"
    for thread in enumerate_threads():
        if thread.name == "homeostasis-secret-store":
            thread.join()


def test_what_aws_answers_is_not_logged(aws: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """botocore logs every answer at DEBUG, before anybody knows what is secret in it."""
    caplog.set_level(logging.DEBUG)
    aws.reply(json=secret(SecretString=json.dumps({"key": KEY, "another": "QZJX-secret-of-others"})))

    read_secret(SecretReference("aws-secretsmanager", "llm/openai", "key"))

    assert any(record.name.startswith("botocore") for record in caplog.records)
    assert KEY not in caplog.text
    assert "QZJX-secret-of-others" not in caplog.text

    # Others in this process keep their logs.
    caplog.clear()
    logging.getLogger("botocore.parsers").debug("of somebody else")
    assert "of somebody else" in caplog.text


# ---------------------------------------------------------------------------------------------------------- Vault


@pytest.fixture
def vault(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """The address of a Vault, and a token for it."""
    pytest.importorskip("hvac", reason="needs the extra vault")
    monkeypatch.setenv("VAULT_ADDR", loopback.url)
    monkeypatch.setenv("VAULT_TOKEN", "hvs.example")
    return loopback


def engine(path: str, version: str | None) -> dict[str, object]:
    """What Vault says of the engine that has a path. Source: its API, /sys/internal/ui/mounts/:path."""
    return {"data": {"path": path, "type": "kv", "options": None if version is None else {"version": version}}}


def second_version(**fields: object) -> dict[str, object]:
    """A secret of the second version. Source: its API, KV secrets engine version 2."""
    return {"data": {"data": fields, "metadata": {"version": 3, "deletion_time": "", "destroyed": False}}}


@pytest.mark.parametrize(
    ("path", "mounted", "asked"),
    [
        ("secret/llm/openai", engine("secret/", "2"), "/v1/secret/data/llm/openai"),
        ("team/kv/openai", engine("team/kv/", "2"), "/v1/team/kv/data/openai"),
        ("old/openai", engine("old/", "1"), "/v1/old/openai"),
        ("old/openai", engine("old/", None), "/v1/old/openai"),
    ],
)
def test_a_key_comes_out_of_vault(path: str, mounted: dict[str, object], asked: str, vault: Loopback) -> None:
    vault.reply(json=mounted)
    vault.reply(json=second_version(api_key=KEY) if "/data/" in asked else {"data": {"api_key": KEY}})
    refer(f"vault:{path}#api_key")

    found = find_key("openai")

    assert found is not None
    assert (found.secret.get_secret_value(), found.source) == (KEY, f"vault:{path}#api_key")
    assert [request.path for request in vault.requests] == [f"/v1/sys/internal/ui/mounts/{path}", asked]
    assert {request.headers["x-vault-token"] for request in vault.requests} == {"hvs.example"}
    assert {request.method for request in vault.requests} == {"GET"}


def test_a_vault_that_does_not_tell_its_engines_is_taken_for_the_usual_one(
    vault: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_NAMESPACE", "team")
    vault.reply(status=403, json={"errors": ["preflight capability check returned 403"]})
    vault.reply(json=second_version(api_key=KEY))

    assert read_secret(SecretReference("vault", "secret/openai", "api_key")).get_secret_value() == KEY
    assert vault.requests[-1].path == "/v1/secret/data/openai"
    assert vault.requests[-1].headers["x-vault-namespace"] == "team"


@pytest.mark.parametrize(
    ("path", "status", "body", "trouble"),
    [
        ("secret/openai", 404, {"errors": []}, "has nothing at secret/openai"),
        ("secret/data/x", 404, {"errors": []}, "has nothing at secret/data/x; leave out the data/ in the path"),
        (
            "secret/openai",
            403,
            {"errors": ["1 error occurred:\n\t* permission denied\n\n"]},
            "does not let this token read secret/openai, or does not know the token",
        ),
        ("secret/openai", 503, {"errors": ["Vault is sealed"]}, "is sealed or down"),
        ("secret/openai", 200, second_version(key="x"), "has no field api_key at secret/openai, only key"),
        ("secret/openai", 200, second_version(api_key=5), "has no field api_key at secret/openai, only api_key"),
        ("secret/openai", 200, second_version(), "has no field api_key at secret/openai, only none"),
    ],
)
def test_what_vault_does_not_give_is_told(
    path: str, status: int, body: dict[str, object], trouble: str, vault: Loopback
) -> None:
    vault.reply(json=engine("secret/", "2"))
    vault.reply(status=status, json=body)

    assert problem(SecretReference("vault", path, "api_key")) == f"HashiCorp Vault {trouble}"


def test_what_a_vault_needs_here_is_told(vault: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = SecretReference("vault", "secret/openai", "api_key")
    monkeypatch.delenv("VAULT_TOKEN")
    assert problem(reference) == "HashiCorp Vault needs a token; set VAULT_TOKEN, or log in with `vault login`"

    monkeypatch.delenv("VAULT_ADDR")
    assert problem(reference) == "HashiCorp Vault has no address; set VAULT_ADDR"
    assert vault.requests == []


def test_a_vault_that_is_not_there_is_told(vault: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("VAULT_ADDR", address)

    said = problem(SecretReference("vault", "secret/openai", "api_key"))

    assert said == f"HashiCorp Vault cannot be reached at {address}: ConnectionError"
    assert vault.requests == []


def test_what_vault_answers_is_not_logged(vault: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vault.reply(json=engine("secret/", "2"))
    vault.reply(json=second_version(api_key=KEY))

    read_secret(SecretReference("vault", "secret/openai", "api_key"))

    assert KEY not in caplog.text
    assert "hvs.example" not in caplog.text


# ---------------------------------------------------------------------------------------------------------- Azure


class KeyVault:
    """A Key Vault, and the endpoint of a managed identity, over TLS and HTTP on this machine.

    Azure's SDK takes a vault's word for who gives out tokens only where the vault's host is below the domain that the
    token is for; 127.0.0.1 is below `0.0.1`, by the letter.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.answer: tuple[int, dict[str, object]] = (200, {"value": KEY, "id": "https://vault/secrets/openai/1"})
        self.certificate = folder / "certificate.pem"
        _make_certificate(self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self._vault = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(self._give_secret))
        self._vault.socket = context.wrap_socket(self._vault.socket, server_side=True)
        self._identity = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(self._give_token))
        self._servers = (self._vault, self._identity)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._vault.server_address[1]}"

    @property
    def identity_url(self) -> str:
        return f"http://127.0.0.1:{self._identity.server_address[1]}/msi/token"

    def __enter__(self) -> Self:
        self._threads = [Thread(target=server.serve_forever, args=(0.01,)) for server in self._servers]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()

    def _handler(self, give: Callable[[BaseHTTPRequestHandler], None]) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests.append((self.path.partition("?")[0], self.headers["authorization"]))
                give(self)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        return Handler

    def _give_token(self, handler: BaseHTTPRequestHandler) -> None:
        # Source: Microsoft, "How to use managed identities for App Service".
        _send(handler, 200, {"access_token": "a-token", "expires_on": "4102444800", "token_type": "Bearer"})

    def _give_secret(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["authorization"] is None:
            # Source: Microsoft, Key Vault, "Authentication, requests and responses".
            host, _, port = self.url.removeprefix("https://127.").partition(":")
            challenge = f'Bearer authorization="https://login.example/tenant", resource="https://{host}:{port}"'
            _send(handler, 401, {"error": {"code": "Unauthorized"}}, {"www-authenticate": challenge})
        else:
            _send(handler, *self.answer)


def _send(handler: BaseHTTPRequestHandler, status: int, body: object, headers: dict[str, str] | None = None) -> None:
    content = json.dumps(body).encode()
    handler.send_response(status)
    for name, told in {"content-type": "application/json", "content-length": len(content), **(headers or {})}.items():
        handler.send_header(name, str(told))
    handler.end_headers()
    handler.wfile.write(content)


def _make_certificate(place: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )


@pytest.fixture
def key_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    pytest.importorskip("azure.keyvault.secrets", reason="needs the extra azure")
    pytest.importorskip("azure.identity", reason="needs the extra azure")
    with KeyVault(tmp_path) as server:
        monkeypatch.setenv("AZURE_KEY_VAULT_URL", server.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.certificate))
        # As App Service tells its containers where their identity is.
        monkeypatch.setenv("IDENTITY_ENDPOINT", server.identity_url)
        monkeypatch.setenv("IDENTITY_HEADER", "an example")
        yield server


def test_a_key_comes_out_of_azure(key_vault: KeyVault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refer("azure-keyvault:openai")

    found = find_key("openai")

    assert found is not None
    assert (found.secret.get_secret_value(), found.source) == (KEY, "azure-keyvault:openai")
    assert ("/secrets/openai/", "Bearer a-token") in key_vault.requests
    assert KEY not in caplog.text
    assert "a-token" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ((404, {"error": {"code": "SecretNotFound"}}), "has no secret called openai at {url}"),
        ((403, {"error": {"code": "Forbidden", "message": "no policy"}}), "answered 403 for openai"),
        ((200, {"value": "", "id": "https://vault/secrets/openai/1"}), "has an empty secret called openai"),
    ],
)
def test_what_azure_does_not_give_is_told(
    answer: tuple[int, dict[str, object]], trouble: str, key_vault: KeyVault
) -> None:
    key_vault.answer = answer

    said = problem(SecretReference("azure-keyvault", "openai"))

    assert said == f"Azure Key Vault {trouble.format(url=key_vault.url)}"


def test_a_vault_of_azure_without_an_address_is_told(key_vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_KEY_VAULT_URL")

    assert problem(SecretReference("azure-keyvault", "openai")) == (
        "Azure Key Vault has no address; set AZURE_KEY_VAULT_URL"
    )
    assert key_vault.requests == []


def test_a_vault_of_azure_that_is_not_there_is_told(key_vault: KeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"https://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("AZURE_KEY_VAULT_URL", address)

    said = problem(SecretReference("azure-keyvault", "openai"))

    assert said == f"Azure Key Vault cannot be reached at {address}"
    assert key_vault.requests == []


# ------------------------------------------------------------------------------------------------------- all of them


def test_no_store_is_asked_or_imported_where_nothing_refers_to_it(child_environment: dict[str, str]) -> None:
    code = """
import sys
from homeostasis_llm import APIKeyManager
manager = APIKeyManager()
manager.list_keys(), manager.get_key("openai"), manager.get_available_secrets_managers()
print([name for name in sys.modules if name.startswith(("boto", "hvac", "azure.", "requests"))])
"""
    # One that tries to reach them ends at once with another status.
    environment = {**child_environment, "VAULT_ADDR": "http://192.0.2.1", "AZURE_KEY_VAULT_URL": "https://192.0.2.1"}

    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert child.stdout == "[]\n"


def test_whoever_wants_no_secret_stores_has_none_asked(vault: Loopback) -> None:
    refer("vault:secret/openai#api_key")

    assert key_status(["openai"], where=Where(outside=False))["openai"].found is None
    assert APIKeyManager(use_external_secrets=False).get_key("openai") is None
    assert vault.requests == []


def test_a_store_whose_package_is_not_installed_says_which(vault: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_stores, "is_installed", lambda _: False)

    assert problem(SecretReference("vault", "secret/openai", "api_key")) == (
        "HashiCorp Vault needs a package that is not installed: pip install 'homeostasis-llm[vault]'"
    )
    assert vault.requests == []


def test_the_stores_in_use_are_told_by_what_environment_and_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("boto3", "hvac", "azure.keyvault.secrets"):
        pytest.importorskip(module, reason="needs the extras aws, vault and azure")
    manager = APIKeyManager()
    assert manager.get_available_secrets_managers() == {}

    refer("azure-keyvault:openai")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:8200")
    monkeypatch.setenv("AWS_PROFILE", "work")
    found: dict[str, Any] = manager.get_available_secrets_managers()

    assert json.loads(json.dumps(found)) == {
        "aws-secretsmanager": "AWSSecretsManager",
        "vault": "HashiCorpVault",
        "azure-keyvault": "AzureKeyVault",
    }
    assert APIKeyManager(use_external_secrets=False).get_available_secrets_managers() == {}

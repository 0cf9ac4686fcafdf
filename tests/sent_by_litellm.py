"""Have litellm send a request for each row of the catalog, and print what it sent, as JSON.

Run as a process of its own, since it turns TLS checks off: all requests go to a proxy on loopback that answers them
itself, whatever their host.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import os
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homeostasis_llm.catalog import ProviderFacts, all_facts
from homeostasis_llm.litellm_bridge.runtime import load_litellm
from homeostasis_llm.litellm_names import openai_like

KEY = "the-key"
TOKEN = "a-token-for-the-key"
ELSEWHERE = "https://gateway.example/elsewhere"

# What a request cannot do without, where an account or a region has an address of its own.
ACCOUNTS = {
    "azure": {"AZURE_API_BASE": "https://account.example", "AZURE_API_VERSION": "2024-10-21"},
    "azure_ai": {"AZURE_AI_API_BASE": "https://account.services.ai.azure.com"},
    "bedrock": {"AWS_REGION": "us-east-1"},
    "cloudflare": {"CLOUDFLARE_ACCOUNT_ID": "account"},
    "databricks": {"DATABRICKS_API_BASE": "https://account.example/serving-endpoints"},
    "snowflake": {"SNOWFLAKE_ACCOUNT_ID": "account"},
    "watsonx": {"WATSONX_URL": "https://region.example", "WATSONX_PROJECT_ID": "project"},
}


class Proxy:
    """A proxy that looks into what it is sent, also under TLS, and refuses it as a provider refuses a wrong key."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._tls = _any_host()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has hung up
            method, target, headers, body = _read(connection)
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                connection = self._tls.wrap_socket(connection, server_side=True)
                host = target.removesuffix(":443")
                method, target, headers, body = _read(connection)
                target = f"https://{host}{target}"
            self.requests.append({"url": target, "headers": headers, "body": body})
            exchanges_keys = target.endswith("/identity/token")
            answer = json.dumps(
                {"access_token": TOKEN, "expires_in": 3600} if exchanges_keys else {"error": {"message": "no"}}
            ).encode()
            status = b"200 OK" if exchanges_keys else b"401 Unauthorized"
            connection.sendall(
                b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
                % (status, len(answer), answer)
            )
            connection.close()


def _read(connection: socket.socket) -> tuple[str, str, dict[str, str], Any]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _some(connection)
    method, target, _ = first.split()
    with contextlib.suppress(ValueError):
        return method, target, headers, json.loads(body)
    return method, target, headers, None


def _some(connection: socket.socket) -> bytes:
    some = connection.recv(65536)
    if not some:
        raise ConnectionError("closed before the request was complete")
    return some


def _any_host() -> ssl.SSLContext:
    """TLS with a certificate that nobody should trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's proxy")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder, "proxy.pem")
        pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(pem)
    return context


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    os.environ.update(variables)
    try:
        yield
    finally:
        for variable in variables:
            del os.environ[variable]


def _send(proxy: Proxy, facts: ProviderFacts, variables: dict[str, str], key: str | None = None) -> dict[str, Any]:
    proxy.requests.clear()
    error = ""
    with _environment(variables):
        try:
            load_litellm().completion(
                model=facts.default_model or "some-model",
                custom_llm_provider=facts.litellm_name,
                messages=[{"role": "user", "content": "hello"}],
                timeout=10,
                max_retries=0,
                num_retries=0,
                **({} if key is None else {"api_key": key}),
            )
        except Exception as refused:  # noqa: BLE001  # every request is refused; what was sent is what counts
            error = f"{type(refused).__name__}: {refused}"
    return {"sent": list(proxy.requests), "error": error}


def main() -> None:
    """Print, for each row: what is sent with no variable, and with each of its key's and its base URL's.

    And which variables litellm says are missing, and which parameters it takes for the default model.
    """
    proxy = Proxy()
    os.environ["HTTP_PROXY"] = os.environ["HTTPS_PROXY"] = proxy.url
    litellm = load_litellm()
    litellm.ssl_verify = False
    logging.disable()
    rows = {}
    for facts in all_facts().values():
        account = ACCOUNTS.get(facts.name, {})
        unplaced = {name: value for name, value in account.items() if name not in facts.base_url_env}
        keys: dict[str, Any] = {}
        bases: dict[str, Any] = {}
        # A key's variable and a base URL's share a request: each takes its time.
        for key, base in zip_longest(facts.env, facts.base_url_env):
            place = account if base is None else {**unplaced, base: ELSEWHERE}
            told = _send(proxy, facts, place, KEY) if key is None else _send(proxy, facts, {**place, key: KEY})
            keys |= {} if key is None else {key: told}
            bases |= {} if base is None else {base: told if told["sent"] else _send(proxy, facts, place, KEY)}
        rows[facts.name] = {
            "plain": _send(proxy, facts, account, KEY),
            "keys": keys,
            "bases": bases,
            "wanted": litellm.validate_environment(f"{facts.litellm_name}/{facts.default_model}")["missing_keys"],
            "params": litellm.get_supported_openai_params(facts.default_model or "some-model", facts.litellm_name),
        }
    names = {*(str(provider.value) for provider in litellm.LlmProviders), *openai_like()}
    json.dump({"rows": rows, "names": sorted(names)}, sys.stdout)


if __name__ == "__main__":
    main()

"""Ask a provider one plain question over HTTP, such as which models it has, without litellm's help or its import."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from .catalog import our_variable
from .error_facts import error_from_answer
from .errors import InvalidRequestError, InvalidResponseError, LLMConnectionError, LLMTimeoutError
from .redaction import remember

if TYPE_CHECKING:
    import httpx

    from .catalog import ProviderFacts
    from .request import Timeout

_CONNECT, _TOTAL = 10.0, 30.0
"""Seconds, where the caller does not say; a listing is short and comes at once."""

_VERSIONS = {"anthropic": {"anthropic-version": "2023-06-01"}}
"""Headers without which an endpoint refuses any request. Source: Anthropic's API reference, "Versions"."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL to GET, and how to show the key there."""

    provider: str
    url: str
    auth: str
    """`bearer`, `scheme:<word>`, `header:<name>`, `query:<name>` or `none`."""

    def headers(self, key: str) -> dict[str, str]:
        """The headers that show `key`, and those without which nothing is answered."""
        headers = dict(_VERSIONS.get(self.provider, {}))
        kind, _, name = self.auth.partition(":")
        if key and kind in {"bearer", "header"}:
            headers[name or "Authorization"] = f"Bearer {key}" if kind == "bearer" else key
        elif key and kind == "scheme":
            headers["Authorization"] = f"{name} {key}"
        return headers

    def params(self, key: str) -> dict[str, str]:
        """The query parameters that show `key`."""
        kind, _, name = self.auth.partition(":")
        return {name: key} if key and kind == "query" else {}


def base_url_from_environment(name: str, facts: ProviderFacts | None) -> str | None:
    """The base URL that the environment names for a provider: ours first, then the provider's own variables."""
    names = (our_variable(name, "BASE_URL"), *(facts.base_url_env if facts is not None else ()))
    return next((url for variable in names if (url := os.environ.get(variable, "").strip())), None)


def models_endpoint(facts: ProviderFacts, base_url: str | None = None) -> Endpoint | None:
    """Where `facts`' provider lists its models; None where it does not, or where asking takes more than a header."""
    return _endpoint(facts, facts.models_path, base_url)


def key_endpoint(facts: ProviderFacts, base_url: str | None = None) -> Endpoint | None:
    """Where `facts`' provider refuses a wrong key; None where no such place is known."""
    return _endpoint(facts, facts.key_check_path or (None if facts.models_public else facts.models_path), base_url)


def _endpoint(facts: ProviderFacts, path: str | None, base_url: str | None) -> Endpoint | None:
    base = base_url or facts.base_url
    if not path or not base or facts.auth in {"aws", "google"}:
        return None
    # A whole URL leaves the base URL's path aside: what it names stands beside it, not below.
    if path.startswith(("https://", "http://")):
        whole = urlsplit(path)
        url = path if base_url is None else urljoin(base_url, f"{whole.path}?{whole.query}".rstrip("?"))
        return Endpoint(facts.name, url, facts.auth)
    return Endpoint(facts.name, urljoin(f"{base.rstrip('/')}/", path.lstrip("/")), facts.auth)


def ask(
    endpoint: Endpoint, key: str, *, headers: Mapping[str, str] | None = None, timeout: Timeout | None = None
) -> bytes:
    """The body of a good answer to GET. Redirects are not followed: the key would go along. Raises `LLMError`."""
    import httpx
    from pydantic import SecretStr

    from ._value import check_key

    remember(key)  # before anything can fail that might repeat it
    secret = SecretStr(key)
    del key  # no traceback shall hold it
    check_key(secret.get_secret_value())
    failure: InvalidRequestError | InvalidResponseError | LLMConnectionError | LLMTimeoutError
    try:
        answer = send(endpoint, secret.get_secret_value(), headers=headers, timeout=timeout)
    except httpx.TimeoutException as error:
        failure = LLMTimeoutError(f"{endpoint.provider}: no answer from {endpoint.url} in time").with_cause(error)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        failure = InvalidRequestError(f"{endpoint.provider}: {endpoint.url} is no web address").with_cause(error)
    except httpx.TransportError as error:
        failure = LLMConnectionError(f"{endpoint.provider}: no connection to {endpoint.url}: {error}").with_cause(error)
    except httpx.DecodingError as error:
        failure = InvalidResponseError(f"{endpoint.provider}: the answer of {endpoint.url} cannot be unpacked")
        failure.with_cause(error)
    else:
        if answer.is_success:
            return answer.content
        raise error_from_answer(answer.status_code, answer.headers, answer.content, provider=endpoint.provider)
    failure.provider = endpoint.provider
    raise failure


def send(
    endpoint: Endpoint, key: str, *, headers: Mapping[str, str] | None = None, timeout: Timeout | None = None
) -> httpx.Response:
    """The answer to GET, whatever its status. Raises httpx's own errors."""
    import httpx

    total = (timeout and timeout.total) or _TOTAL
    first_byte, connect = (timeout and timeout.first_byte) or total, (timeout and timeout.connect) or _CONNECT
    wait = httpx.Timeout(min(total, first_byte), connect=min(total, connect))
    url = httpx.URL(endpoint.url).copy_merge_params(endpoint.params(key))  # `params=` would drop the URL's own
    shown = {**endpoint.headers(key), **(headers or {})}
    deadline = time.monotonic() + total
    with (
        httpx.Client(timeout=wait, follow_redirects=False) as client,
        client.stream("GET", url, headers=shown) as answer,
    ):
        pieces = []
        for piece in answer.iter_raw():
            pieces.append(piece)
            if time.monotonic() > deadline:  # httpx bounds each wait, not their sum
                raise httpx.ReadTimeout("the answer came too slowly", request=answer.request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=b"".join(pieces))


def read_models(body: bytes, provider: str) -> list[str]:
    """The names in a listing, sorted, in any of the forms that providers use. Raises `InvalidResponseError`."""
    try:
        names = sorted(set(_names(json.loads(body))))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidResponseError(
            f"{provider} gave a list of models that cannot be read: {error}", provider=provider
        ) from None
    return names


def _names(listing: Any) -> Iterator[str]:
    # {"data": [{"id"}]} is OpenAI's and Anthropic's; {"models": [{"name"}]} Google's (with "models/" before the name),
    # Ollama's and Cohere's; {"modelSummaries": [{"modelId"}]} AWS's; {"resources": …} watsonx'; a bare list Together's.
    rows = listing
    if isinstance(listing, Mapping):
        keys = ("data", "models", "modelSummaries", "resources")
        rows = next((listing[key] for key in keys if isinstance(listing.get(key), list)), None)
    if not isinstance(rows, list):
        raise TypeError("there is no list in it")
    for row in rows:
        if isinstance(row, Mapping):
            places = ("id", "modelId", "model_id", "name", "model")
            row = next((row[key] for key in places if isinstance(row.get(key), str)), "")  # noqa: PLW2901
        if isinstance(row, str) and row:
            yield row.removeprefix("models/")

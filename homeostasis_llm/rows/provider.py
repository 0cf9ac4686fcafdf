"""Ask an address that speaks one of litellm's dialects, and show it the key in the way that it wants."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from ..catalog import ProviderFacts
from ..litellm_bridge.exchange import Exchange
from ..litellm_bridge.provider import LiteLLMProvider
from ..provider import without_key
from ..request import LLMRequest, Timeout

if TYPE_CHECKING:
    from ..keys.check import KeyCheck

_SHOWN_BY_LITELLM = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
"""The headers in which litellm shows a key, in any of the dialects."""

_ALWAYS_SENT = {"anthropic": {"anthropic-version": "2023-06-01"}}
"""Headers without which an endpoint refuses any request, by dialect. Source: Anthropic's API reference, "Versions"."""


class RowProvider(LiteLLMProvider):
    """A provider that is a row and no code."""

    def __init__(
        self,
        facts: ProviderFacts,
        api_key: str | SecretStr | None = None,
        *,
        base_url: str | None = None,
        default_model: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: Timeout | float | None = None,
        api_version: str | None = None,
        model_map: Mapping[str, str] | None = None,
        context_window: int | None = None,
    ) -> None:
        """As for `LiteLLMProvider`; `model_map` leads from the names that requests use to the provider's own."""
        super().__init__(
            facts.name,
            api_key,
            base_url=base_url or facts.base_url,
            default_model=default_model or facts.default_model,
            headers={**_ALWAYS_SENT.get(facts.litellm_name, {}), **(headers or {})},
            timeout=timeout,
            api_version=api_version,
        )
        self._facts: ProviderFacts = facts
        self._model_map = dict(model_map or {})
        self.context_window = context_window

    @property
    def needs_key(self) -> bool:  # type: ignore[override]  # of a class it is the same for all; here the row says it
        """Whether it has any use for a key."""
        return self._facts.needs_key

    def check_key(self, api_key: str | SecretStr) -> KeyCheck:
        """What the provider says of `api_key`; asked by its models listing, or else by one token, which costs."""
        from ..http.key_check import check

        other = without_key(self)
        other.api_key = api_key
        return check(self._facts, self._base_url or "", self._headers, str(other.api_key), other)

    def _arguments(self, request: LLMRequest) -> dict[str, object]:
        wanted = request.model or self.default_model
        model = self._model_map.get(wanted, wanted)
        if model != request.model:
            request = copy.copy(request)  # with all that a subclass adds to it
            request.model = model
        return super()._arguments(request)

    def _exchange(self, request: LLMRequest) -> Exchange:
        exchange = super()._exchange(request)
        exchange.show_key = self._show_key
        return exchange

    def _show_key(self, request: httpx.Request) -> None:
        """Show the key as the row says, and not as litellm does."""
        for header in _SHOWN_BY_LITELLM:
            request.headers.pop(header, None)
        url = request.url.copy_remove_param("key")
        key, (kind, _, name) = str(self.api_key), self._facts.auth.partition(":")
        if key and kind == "bearer":
            request.headers["Authorization"] = f"Bearer {key}"
        elif key and kind == "scheme":
            request.headers["Authorization"] = f"{name} {key}"
        elif key and kind == "header":
            request.headers[name] = key
        elif key and kind == "query":
            url = url.copy_set_param(name, key)
        request.url = url

"""A provider of ours as litellm's `CustomLLM`. Importing this imports litellm: see `registering`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

from litellm import CustomLLM
from pydantic import SecretStr

from ..errors import LLMError
from ..keys.lookup import find_key
from ..promises import aanswer_of, answer_of
from ..provider import LLMProviderInterface, astream_chunks, stream_chunks
from ..request import LLMRequest
from .theirs import as_litellm_error, fill_response, generic_chunks, last_generic_chunk, request_from_litellm


class NativeLLM(CustomLLM):  # type: ignore[misc]  # litellm is not followed: see pyproject.toml
    """The provider of that name. litellm hands over everything by keyword; what is used of it is named here."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def completion(self, *, model_response: Any, **call: Any) -> Any:
        try:
            provider, request = self._asked(call)
            return fill_response(model_response, answer_of(provider, request))
        except LLMError as error:
            failure = as_litellm_error(error, self.name, str(call["model"]))
        raise failure

    async def acompletion(self, *, model_response: Any, **call: Any) -> Any:
        try:
            provider, request = self._asked(call)
            return fill_response(model_response, await aanswer_of(provider, request))
        except LLMError as error:
            failure = as_litellm_error(error, self.name, str(call["model"]))
        raise failure

    def streaming(self, **call: Any) -> Iterator[Any]:
        # The first piece is waited for here: litellm calls an error that comes later one amid the stream.
        pieces = self._pieces(call)
        return chain([next(pieces)], pieces)  # there is one at least: the last

    def _pieces(self, call: dict[str, Any]) -> Iterator[Any]:
        try:
            provider, request = self._asked(call)
            chunks = []
            for chunk in stream_chunks(provider, request):
                chunks.append(chunk)
                yield from generic_chunks(chunk)
            yield last_generic_chunk(chunks)
        except LLMError as error:
            failure = as_litellm_error(error, self.name, str(call["model"]))
        else:
            return
        raise failure

    async def astreaming(self, **call: Any) -> AsyncIterator[Any]:
        try:
            provider, request = self._asked(call)
            chunks = []
            async for chunk in astream_chunks(provider, request):
                chunks.append(chunk)
                for generic in generic_chunks(chunk):
                    yield generic
            yield last_generic_chunk(chunks)
        except LLMError as error:
            failure = as_litellm_error(error, self.name, str(call["model"]))
        else:
            return
        raise failure

    def _asked(self, call: dict[str, Any]) -> tuple[LLMProviderInterface, LLMRequest]:
        given = call.get("api_key")
        key = SecretStr(given) if given else None
        if key is None and (found := find_key(self.name)) is not None:
            key = found.secret
        request = request_from_litellm(
            call["model"], call["messages"], call.get("optional_params") or {}, call.get("timeout")
        )
        return _provider(self.name, key, call.get("api_base") or None), request


@lru_cache(maxsize=64)
def _provider(name: str, key: SecretStr | None, base_url: str | None) -> LLMProviderInterface:
    """One for each key and address, so that connections are used again; those not asked for long are let go of."""
    from ..registry import ProviderFactory

    return ProviderFactory.create_provider(name, key, **({} if base_url is None else {"base_url": base_url}))

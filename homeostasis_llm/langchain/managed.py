"""Let a manager be asked as one provider is, so that the chat model need not know whom it speaks to."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, ClassVar, Never, cast

from ..catalog import canonical_name, facts_of
from ..errors import InvalidRequestError, UnknownProviderError
from ..manager import LLMManager, RetryConfig
from ..provider import LLMProviderInterface
from ..request import LLMRequest
from ..response import LLMChunk, LLMResponse
from .source import MANAGED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def default_manager(max_retries: int | None) -> LLMManager:
    """The manager of the user's settings; `max_retries` goes before theirs. Raises `ConfigError`."""
    if max_retries is None:
        return LLMManager()
    from ..config import RETRIES, load_settings

    failover = load_settings().failover
    said = {name: getattr(failover, name) for name in RETRIES}
    return LLMManager(retry_config=RetryConfig(**{**said, "max_retries": max_retries}))


class Managed(LLMProviderInterface):
    """All providers of a manager as one. Where a request's model is `provider:model`, that provider is asked first."""

    name = MANAGED
    default_model = ""
    needs_key: ClassVar[bool] = False

    def __init__(self, manager: LLMManager) -> None:
        super().__init__()
        self._manager = manager

    def complete(self, request: LLMRequest) -> LLMResponse:
        asked, preferred = self._read(request)
        return self._manager.complete(asked, preferred)

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        asked, preferred = await self._aread(request)
        return await self._manager.acomplete(asked, preferred)

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        self._refuse_restart()
        asked, preferred = self._read(request)
        yield from self._manager.complete_stream(asked, preferred)

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk]:
        self._refuse_restart()
        asked, preferred = await self._aread(request)
        stream = cast("AsyncGenerator[LLMChunk]", self._manager.acomplete_stream(asked, preferred))
        async with aclosing(stream) as chunks:  # abandoned here, it is closed at once there
            async for chunk in chunks:
                yield chunk

    def _refuse_restart(self) -> None:
        if self._manager.on_break == "restart":
            raise InvalidRequestError(
                "on_break: is 'restart', which LangChain's chunks have no word for; give "
                "ChatHomeostasis(manager=LLMManager(on_break='raise')), or 'continue', or change the settings"
            )

    def _read(self, request: LLMRequest) -> tuple[LLMRequest, str | None]:
        """The request, and who is to be asked first where its model says so."""
        provider, colon, model = (request.model or "").partition(":")
        if not colon or not model.strip() or not self._is_known(provider):
            return request, None
        asked = copy.copy(request)  # keeps the fields of a subclass
        asked.model = None
        return asked, f"{provider}:{model}"

    async def _aread(self, request: LLMRequest) -> tuple[LLMRequest, str | None]:
        # To tell a provider's name from a part of a model's may take a look among plugins and keys.
        if ":" in (request.model or ""):
            return await asyncio.to_thread(self._read, request)
        return request, None

    def _is_known(self, name: str) -> bool:
        from ..registry import ProviderFactory

        known = canonical_name(name.strip())
        if facts_of(known) is not None:
            return True
        try:
            ProviderFactory.describe(known)
        except UnknownProviderError:
            own = self._manager.get_available_providers()
            return known in {canonical_name(one.partition(":")[0]) for one in own}
        return True

    def validate_key(self, api_key: str) -> Never:  # noqa: ARG002  # the signature is the contract's
        raise InvalidRequestError("a manager has no key of its own; ask its providers to check theirs")

    def get_available_models(self) -> Never:
        raise InvalidRequestError("a manager has no models of its own; ask its providers for theirs")

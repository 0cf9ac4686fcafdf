"""Send litellm's translation of a request through our own clients, and read the answer as the provider wrote it.

Nothing of what litellm does beside a call is done: no callbacks, no logging, no prices. Import this only after
`runtime.load_litellm`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import httpx
import litellm
from litellm.utils import validate_and_fix_openai_messages

from ...response import LLMResponse
from ..exchange import Exchange, current_exchange
from .converse_requests import is_plain
from .dialect import Cutter, Event
from .events import parsed
from .full import FullCall
from .gemini_requests import must_be_fetched
from .plans import Arguments, Plan, Plans, steered
from .requests import Ready, built


class DirectLane:
    """The lane to one provider."""

    def __init__(self) -> None:
        self._plans = Plans()

    def call(self, arguments: Arguments, *, stream: bool) -> DirectCall | None:
        """The call that asks as `litellm.completion` would; None where this lane does not know to do so."""
        if steered() or (plan := self._plans.plan(arguments)) is None:
            return None
        fetched = _FETCHED.get(plan.provider, ())
        if any(_is_fetched(part, fetched) for message in arguments["messages"] for part in _parts(message)):
            return None
        if plan.provider == "gemini" and any(map(must_be_fetched, arguments["messages"])):
            return None
        if plan.provider == "bedrock" and not is_plain(arguments):
            return None
        messages = validate_and_fix_openai_messages(arguments["messages"])
        messages = plan.config.translate_developer_role_to_system_role(messages=messages)
        options = self._plans.options(plan, arguments, messages, stream=stream)
        if options is None:
            return None
        if plan.dialect.told is not None:
            plan = plan._replace(dialect=plan.dialect.told(options))
        try:
            ready = built(plan, arguments, messages, options, stream=stream)
        except Exception as error:
            litellm.exception_type(model=plan.model, original_exception=error, custom_llm_provider=plan.provider)
            raise
        return DirectCall(plan, arguments, ready)


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _is_fetched(part: Mapping[str, Any], pictures: tuple[str, ...]) -> bool:
    """Whether litellm may fetch what `part` names, which must not be waited for in an event loop."""
    kind = part.get("type")
    return kind == "file" or (kind == "image_url" and part["image_url"]["url"].startswith(pictures))


_FETCHED: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("http://",),
    "bedrock": ("http://", "https://"),
    "ollama_chat": ("http://", "https://"),
}
"""How the addresses of pictures begin that litellm fetches; the others are for the provider to fetch."""


class DirectCall:
    """One call by this lane."""

    lane = "direct"

    def __init__(self, plan: Plan, arguments: Arguments, ready: Ready) -> None:
        self._plan, self._arguments, self._ready = plan, arguments, ready
        self._instead: FullCall | None = None

    def complete(self) -> Any:
        response = self._http().send(self._request(), stream=True)
        if self._refused(response):
            return self._otherwise().complete()
        return self._plan.dialect.checked(parsed(_body(response)))

    async def acomplete(self) -> Any:
        response = await self._http().send(self._request(), stream=True)
        if self._refused(response):
            return await self._otherwise().acomplete()
        return self._plan.dialect.checked(parsed(await _abody(response)))

    def stream(self) -> Iterator[Any]:
        response = self._http().send(self._request(), stream=True)
        if self._refused(response):
            return self._otherwise().stream()
        return _pieces(response, self._plan.dialect.cutter())

    async def astream(self) -> AsyncIterator[Any]:
        response = await self._http().send(self._request(), stream=True)
        if self._refused(response):
            return await self._otherwise().astream()
        return _apieces(response, self._plan.dialect.cutter())

    def read(self, answer: Any, exchange: Exchange, provider: str) -> tuple[LLMResponse, Any]:
        if self._instead is not None:
            return self._instead.read(answer, exchange, provider)
        dialect = self._plan.dialect
        return dialect.answer(answer, exchange, provider), dialect.counted(answer)

    def reading(self, provider: str) -> Any:
        return self._plan.dialect.reading(provider) if self._instead is None else self._instead.reading(provider)

    def _http(self) -> Any:
        """Our httpx client, inside the one that litellm would be given; Azure's is the SDK's own."""
        exchange = current_exchange()
        return (self._arguments["client"] if exchange is None else exchange.handler).client

    def _request(self) -> httpx.Request:
        if (exchange := current_exchange()) is not None:
            exchange.mended = False
        url, headers, body = self._ready
        named = {name.lower() for name in headers}
        unsaid = {name: said for name, said in _unless_said().items() if name not in named}
        return httpx.Request("POST", url, headers={**headers, **unsaid}, content=body)

    def _refused(self, response: httpx.Response) -> bool:
        """Whether litellm would make something of a failed answer. Raises litellm's exception for any other."""
        if response.status_code < 300:
            return False
        said = response.text  # its body was read when it arrived; see exchange.py
        if self._plan.by_sdk and any(phrase in said.lower() for phrase in _LITELLM_KNOWS_BETTER):
            return True
        # It knows what some providers say instead of a code.
        told = self._plan.config.get_error_class(said, response.status_code, response.headers)
        litellm.exception_type(model=self._plan.model, original_exception=told, custom_llm_provider=self._plan.provider)
        raise told

    def _otherwise(self) -> FullCall:
        if (exchange := current_exchange()) is not None:
            exchange.mended = True
        self._instead = FullCall(self._arguments)
        return self._instead


_LITELLM_KNOWS_BETTER = (
    # It asks again, with empty messages between those of one role.
    "conversation roles must alternate user/assistant",
    "user and assistant roles should be alternating",
    "last message must have role `user`",
    "unknown field: parameter index is not a valid field",
    # It makes an answer without text of it, as those who had room for some thoughts get.
    "max_tokens or model output limit was reached",
)


@cache
def _unless_said() -> Mapping[str, str]:
    return {"accept": "*/*", "user-agent": f"homeostasis-llm/{version('homeostasis-llm')}"}


def _body(response: httpx.Response) -> bytes:
    return response.read() if _is_compressed(response) else b"".join(response.iter_raw())


async def _abody(response: httpx.Response) -> bytes:
    if _is_compressed(response):
        return await response.aread()
    return b"".join([piece async for piece in response.aiter_raw()])


def _is_compressed(response: httpx.Response) -> bool:
    """Whether the server compressed it, though it was asked not to."""
    return bool(response.headers.get("content-encoding", "identity") != "identity")


def _pieces(response: httpx.Response, events: Cutter) -> Iterator[list[Event]]:
    try:
        for piece in response.iter_bytes() if _is_compressed(response) else response.iter_raw():
            if found := events.feed(piece):
                yield found
            if events.failure is not None:
                raise events.failure
    except httpx.TransportError:
        if not events.done:
            raise
    yield events.end()
    if events.failure is not None:
        raise events.failure


async def _apieces(response: httpx.Response, events: Cutter) -> AsyncIterator[list[Event]]:
    try:
        async for piece in response.aiter_bytes() if _is_compressed(response) else response.aiter_raw():
            if found := events.feed(piece):
                yield found
            if events.failure is not None:
                raise events.failure
    except httpx.TransportError:
        if not events.done:
            raise
    yield events.end()
    if events.failure is not None:
        raise events.failure

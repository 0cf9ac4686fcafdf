"""Be a LangChain chat model over any provider, or over all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from math import ceil
from operator import itemgetter
from typing import Any, cast, get_args

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.load.load import ALL_SERIALIZABLE_MAPPINGS
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from pydantic import BaseModel
from typing_extensions import override

from ..errors import InvalidRequestError, LLMError
from ..promises import aanswer_of, answer_of
from ..provider import LLMProviderInterface, astream_chunks, stream_chunks
from ..request import LLMRequest
from ..response import LLMChunk, LLMResponse
from .configured import Configured
from .errors import as_langchain_error, saying_both
from .outputs import MessagePieces, to_ai_message
from .quick import generation_piece
from .retries import Retries
from .structured import Method, Schema, asked_for, parser_for
from .tools import ToolLike, as_tool_choice, as_tools

_CHARACTERS_PER_TOKEN = 4
"""As langchain-core's `count_tokens_approximately` has it; true of English."""


class ChatHomeostasis(Configured):
    """A LangChain chat model over one provider, or over all that can be asked: when one fails, the next answers.

        ChatHomeostasis(provider="openai", model="gpt-5-mini", temperature=0)
        ChatHomeostasis(model="openai:gpt-5-mini")
        ChatHomeostasis(provider=MyProvider(api_key=…))
        ChatHomeostasis()
        ChatHomeostasis(manager=LLMManager(providers=["openai", "anthropic"]))

    Who is named is asked alone. Without a name `LLMManager` asks whom the settings say; there, `provider:model` as the
    model of a call, or beside `manager`, has that provider asked first. `response_metadata` says who has answered, and
    in `attempts` whom that took.

    Making one is cheap: the provider is made, and a missing key complained of, at the first call. Every parameter can
    be given with a call too, by `bind` or `invoke(…, temperature=0)`. Raises errors that are both `LLMError`s and
    langchain-core's `ModelError`s; `InvalidRequestError` for an argument it does not know.
    """

    def __init__(self, **given: Any) -> None:
        """Raises `InvalidRequestError`, naming the argument, for one that is unknown or cannot be."""
        # Said here again for type checkers, which would make up a signature that takes no text for a key.
        super().__init__(**given)

    # --- asking

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        retries = self._retries(kwargs)
        while True:
            try:
                provider = self._asked()
                request = self._request(provider, messages, stop, kwargs)
                return _result(answer_of(provider, request), provider, request)
            except LLMError as error:
                failure, wait = as_langchain_error(error), retries.wait_after(error)
            # Raised out here so that the provider's error, and what its traceback holds, stays behind.
            if wait is None:
                raise failure
            time.sleep(wait)

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        retries = self._retries(kwargs)
        while True:
            try:
                provider = await self._aasked()
                request = self._request(provider, messages, stop, kwargs)
                return _result(await aanswer_of(provider, request), provider, request)
            except LLMError as error:
                failure, wait = as_langchain_error(error), retries.wait_after(error)
            if wait is None:
                raise failure
            await asyncio.sleep(wait)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        retries = self._retries(kwargs)
        while True:
            pieces = None
            try:
                provider = self._asked()
                request = self._request(provider, messages, stop, kwargs)
                pieces = self._pieces(provider, request)
                for chunk in stream_chunks(provider, request):
                    for message in pieces.add(chunk):
                        yield generation_piece(message)
                for message in pieces.end():
                    yield generation_piece(message)
            except LLMError as error:
                failure, wait = _stream_failure(error, pieces, retries)
            else:
                return
            if wait is None:
                raise failure
            time.sleep(wait)

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        retries = self._retries(kwargs)
        while True:
            pieces = None
            try:
                provider = await self._aasked()
                request = self._request(provider, messages, stop, kwargs)
                pieces = self._pieces(provider, request)
                # A stream that is abandoned is closed at once, not some time later by the event loop.
                async with aclosing(cast("AsyncGenerator[LLMChunk]", astream_chunks(provider, request))) as chunks:
                    async for chunk in chunks:
                        for message in pieces.add(chunk):
                            yield generation_piece(message)
                for message in pieces.end():
                    yield generation_piece(message)
            except LLMError as error:
                failure, wait = _stream_failure(error, pieces, retries)
            else:
                return
            if wait is None:
                raise failure
            await asyncio.sleep(wait)

    def _pieces(self, provider: LLMProviderInterface, request: LLMRequest) -> MessagePieces:
        return MessagePieces(
            provider=provider.name,
            model=request.model or provider.default_model,
            blocks=self.output_version == "v1",
        )

    # --- tools and structured output

    @override
    @saying_both
    def bind_tools(
        self,
        tools: Sequence[ToolLike],
        *,
        tool_choice: object = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with `tools` to call.

        `tools` are functions, pydantic classes, `TypedDict`s, LangChain tools or runnables' `as_tool()`, dicts in the
        forms of OpenAI and Anthropic, JSON schemas with a title, and dicts of a provider's own built-in tools.
        `tool_choice` is `auto`, `none`, `any` (or `required`, or True), a tool's name, or OpenAI's or Anthropic's dict.
        """
        offered = as_tools(tools, strict=strict)
        if isinstance(tool_choice, Mapping) and parallel_tool_calls is None:
            alone = tool_choice.get("disable_parallel_tool_use")  # Anthropic's word for it
            parallel_tool_calls = None if alone is None else not alone
        bound = {"tool_choice": as_tool_choice(tool_choice, offered), "parallel_tool_calls": parallel_tool_calls}
        return self.bind(tools=offered, **{name: set_ for name, set_ in bound.items() if set_ is not None}, **kwargs)

    @override
    @saying_both
    def with_structured_output(
        self,
        schema: Schema | None,
        *,
        method: Method = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """This model with answers of the form `schema`: a pydantic class, a `TypedDict` or a JSON schema.

        `json_schema`, the default, has the provider hold the answer to the schema: it needs no tools, leaves the model
        free to think first, and small local models cannot miss it. `function_calling` is for providers that know tools
        but no schemas, `json_mode` for those that know neither; its prompt must ask for JSON.
        """
        if method not in get_args(Method):
            raise InvalidRequestError(f"method: must be one of {', '.join(get_args(Method))}, got {method!r}")
        asked = self.bind(
            **asked_for(schema, method, strict),
            **kwargs,
            ls_structured_output_format={"kwargs": {"method": method, "strict": strict}, "schema": schema},
        )
        parser = parser_for(schema, method)
        if not include_raw:
            return asked | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        unparsed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=asked) | parsed.with_fallbacks([unparsed], exception_key="parsing_error")

    # --- counting

    @override
    def get_num_tokens(self, text: str) -> int:
        """An estimate, unless `custom_get_token_ids` is given: only the provider knows its own tokens."""
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens(text)
        return ceil(len(text) / _CHARACTERS_PER_TOKEN)

    @override
    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[ToolLike] | None = None) -> int:
        """An estimate, as `get_num_tokens`."""
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens_from_messages(messages)
        return count_tokens_approximately(messages, tools=[*as_tools(tools or [])])

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """What `custom_get_token_ids` says; LangChain's own way would load the tokenizer of GPT-2, of 2019."""
        if self.custom_get_token_ids is None:
            raise as_langchain_error(
                InvalidRequestError("custom_get_token_ids: give it to ChatHomeostasis to count ids")
            )
        return self.custom_get_token_ids(text)


# LangChain loads only what its list names: every class of langchain's own packages, and none of others'.
_home = tuple(ChatHomeostasis.lc_id())
ALL_SERIALIZABLE_MAPPINGS.setdefault(_home, _home)


def _result(response: LLMResponse, provider: LLMProviderInterface, request: LLMRequest) -> ChatResult:
    message = to_ai_message(response, provider=provider.name, model=request.model or provider.default_model)
    return ChatResult(generations=[ChatGeneration(message=message)])


def _stream_failure(error: LLMError, pieces: MessagePieces | None, retries: Retries) -> tuple[LLMError, float | None]:
    failure = as_langchain_error(error)
    arrived = None if pieces is None else pieces.so_far()
    if arrived is None:
        return failure, retries.wait_after(error)
    failure.partial = failure.partial or arrived
    return failure, None

"""Answer with a model inside this process: no key, no account, no network."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from homeostasis_llm import (
    InvalidRequestError,
    LLMChunk,
    LLMError,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    Timeout,
)
from homeostasis_llm.response import merge_chunks

from . import asking, models, smollm2
from .answer import Answer
from .calls import Call, Work, apieces, pieces
from .engine import engine_for, release
from .native import Loading

CONTEXT_TOKENS = 8192
_LEAST_CONTEXT = 256  # llama.cpp rounds up to multiples of it
PARALLEL = 2


class LlamaCppProvider(LLMProviderInterface):
    """GGUF models through llama.cpp; without any option, a small one that comes as a package.

    A model is loaded when it is first asked, once per process for all providers with the same options; that takes a
    second or several, in which no other Python code of the process runs. `close` frees it when no other provider has
    used it.
    """

    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        api_key: str | None = None,
        *,
        model: str = smollm2.NAME,
        context_tokens: int = CONTEXT_TOKENS,
        parallel: int = PARALLEL,
        threads: int | None = None,
        chat_template: str | None = None,
        timeout: Timeout | float | None = None,
        **unknown: Any,
    ) -> None:
        """Raise `InvalidRequestError` for an option that does not exist or cannot be.

        `model` answers requests that name none: the packaged model's name, the path of a `.gguf` file, or a repository
        of Hugging Face as in `owner/repository` or `owner/repository:Q8_0`.
        `context_tokens` is what prompt and answer of one request may have together, if the model was made for it.
        `parallel` requests are answered at a time, the others wait; each takes memory for a whole context.
        `threads` is how many cores to use; None leaves it to what is best for the model.
        `chat_template`, in Jinja, replaces the model's own.
        `timeout`, in seconds for the whole answer or each wait by itself, is for requests that have none.
        """
        super().__init__(api_key, **unknown)
        if not model:
            raise InvalidRequestError("model: is empty; leave it out for the packaged model")
        self._model = model
        self._context_tokens = _whole_number("context_tokens", context_tokens, _LEAST_CONTEXT)
        self._parallel = _whole_number("parallel", parallel, 1)
        self._threads = None if threads is None else _whole_number("threads", threads, 1)
        self._chat_template = chat_template
        self._timeout = _limits(timeout)

    @property
    def name(self) -> str:
        return "llama_cpp"

    @property
    def default_model(self) -> str:
        return self._model

    def complete(self, request: LLMRequest) -> LLMResponse:
        return merge_chunks(list(self.complete_stream(request))).to_response()

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        """The answer as it is written. To close the iterator stops the model."""
        said: list[LLMChunk] = []
        with self._signing_errors(request, said):
            for piece in pieces(self._work(request), self._patience(request)):
                said.append(piece)
                yield piece

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        return merge_chunks([piece async for piece in self.acomplete_stream(request)]).to_response()

    async def acomplete_stream(self, request: LLMRequest) -> AsyncIterator[LLMChunk]:
        """`complete_stream` for async callers; cancelling the task stops the model as well."""
        said: list[LLMChunk] = []
        with self._signing_errors(request, said):
            async for piece in apieces(self._work(request), self._patience(request)):
                said.append(piece)
                yield piece

    def validate_key(self, api_key: str) -> bool:  # noqa: ARG002  # the contract's signature
        """True: there is no key, so none is wrong."""
        return True

    def get_available_models(self) -> list[str]:
        """The packaged model, if it is installed, and the one this provider was made with."""
        return list(dict.fromkeys([*models.available(), *([] if self._model == smollm2.NAME else [self._model])]))

    def close(self) -> None:
        """Free the memory of the models that no other provider uses, once the answers under way are finished."""
        release(self)

    def _work(self, request: LLMRequest) -> Work:
        asking.check(request)
        start = time.monotonic()

        def work(call: Call) -> None:
            model = request.model or self._model
            engine = engine_for(self._loading(model), self)
            call.check()
            Answer(request, engine, call, signed=LLMChunk(provider=self.name, model=model), start=start).give()

        return work

    def _loading(self, model: str) -> Loading:
        return Loading(
            model=models.find(model),
            context_tokens=self._context_tokens,
            parallel=self._parallel,
            threads=self._threads,
            chat_template=self._chat_template,
        )

    def _patience(self, request: LLMRequest) -> Timeout | None:
        return self._timeout if request.timeout is None else _limits(request.timeout)

    @contextmanager
    def _signing_errors(self, request: LLMRequest, said: list[LLMChunk]) -> Iterator[None]:
        """Have an error say whose it is, and what had been said."""
        try:
            yield
        except LLMError as error:
            error.provider, error.model = self.name, request.model or self._model
            if said:
                error.partial = merge_chunks(said).to_response()
            raise


def _limits(timeout: Timeout | float | None) -> Timeout | None:
    return Timeout(total=timeout) if isinstance(timeout, (int, float)) else timeout


def _whole_number(option: str, given: object, least: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise InvalidRequestError(f"{option}: must be a whole number of at least {least}, got {given!r}")
    return given

"""Follow one answer that comes as a stream, over all who write it: what has been passed on, and what may follow.

Knows nothing of how pieces come; `LLMManager` hands them over, with and without `await`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from ..errors import LLMError
from ..messages import LLMMessage
from ..request import LLMRequest
from ..response import LLMChunk, merge_chunks
from .journey import Journey
from .policy import OnBreak
from .rules import Action, rule_for
from .seam import INSTRUCTION, Seam
from .steps import Ask, Pause


class Course:
    """One streamed answer."""

    def __init__(self, journey: Journey, request: LLMRequest, on_break: OnBreak) -> None:
        self._journey = journey
        self._request = request
        self._on_break = on_break
        self._passed: list[LLMChunk] = []
        self._waiting: list[LLMChunk] = []
        self._marker: LLMChunk | None = None
        self._seam: Seam | None = None
        self._from_this: list[LLMChunk] = []

    def next(self) -> Ask | Pause:
        """`Journey.next`, whose errors then have what was passed on."""
        try:
            return self._journey.next()
        except LLMError as error:
            failure = self.told(error)
        raise failure

    def begin(self) -> None:
        """Somebody is asked."""
        self._waiting, self._from_this = [], []

    def take(self, ask: Ask, chunk: LLMChunk, seconds: float) -> Iterator[LLMChunk]:
        """What to pass on, now that `chunk` has come `seconds` after asking."""
        self._from_this.append(chunk)
        if ask.first_token is None:
            if not has_content(chunk):
                self._waiting.append(chunk)  # until something comes, another provider may still take over
                return
            ask.first_token = seconds
            if self._marker is not None:
                marker, self._marker = self._marker, None
                self._passed = []
                yield self._noted(marker)
        waiting, self._waiting = self._waiting, []
        for piece in (*waiting, chunk):
            if self._seam is None:
                yield self._noted(piece)
            elif (joined := self._joined(piece)) is not None:
                yield self._noted(joined)

    def end(self, ask: Ask) -> Iterator[LLMChunk]:
        """What to pass on after the last piece. It has the attempts."""
        if self._marker is not None:
            yield self._noted(self._marker)
            self._marker = None
        if self._seam is not None and (held := self._seam.end()):
            yield self._noted(LLMChunk(text=held, provider=ask.target.provider))
        yield from map(self._noted, self._waiting)
        answer = self._journey.answered(ask, merge_chunks(self._from_this).to_response())
        whole = LLMChunk(provider=answer.provider, model=answer.model, cost=answer.cost, attempts=answer.attempts)
        yield self._noted(whole)

    def failed(self, ask: Ask, error: LLMError) -> None:
        """Arrange what follows. Raises the error for the caller where nothing does."""
        if ask.first_token is None:
            self._journey.failed(ask, error)
            return
        self._journey.broke(ask, error)
        final = rule_for(error).action is Action.FINAL
        if final or self._on_break == "raise" or (self._on_break == "continue" and not self._can_continue()):
            self._journey.close()
            raise self.told(error)
        if self._on_break == "restart":
            self._marker = LLMChunk(restart=True)
            self._seam = None
        else:
            self._journey.continue_with(self._continuation())

    def told(self, error: LLMError) -> LLMError:
        """`error`, with what was passed on and all that led to it."""
        if self._passed and any(map(has_content, self._passed)):
            error.partial = merge_chunks(self._passed).to_response()
        return self._journey.log.told(error)

    def _can_continue(self) -> bool:
        # Half a call cannot be finished by somebody who has not begun it, and a form that is held to begins anew.
        whole = merge_chunks(self._passed)
        return bool(whole.text) and not whole.tool_calls and self._request.response_format in {None, "text"}

    def _continuation(self) -> LLMRequest:
        # What the seam still held back was never passed on: whoever comes next writes it anew.
        beginning = merge_chunks(self._passed).text
        self._seam = Seam(beginning)
        twin = copy.copy(self._request)
        twin.messages = [
            *self._request.messages,
            LLMMessage(role="assistant", content=beginning),
            LLMMessage(role="user", content=INSTRUCTION),
        ]
        return twin

    def _joined(self, chunk: LLMChunk) -> LLMChunk | None:
        """`chunk` without what repeats the beginning; None where that was all of it."""
        if self._seam is None or not chunk.text:
            return chunk
        joined = copy.copy(chunk)
        joined.text = self._seam.add(chunk.text)
        says_more = joined.reasoning or joined.tool_calls or joined.finish_reason or joined.usage
        return joined if joined.text or says_more else None

    def _noted(self, chunk: LLMChunk) -> LLMChunk:
        self._passed.append(chunk)
        return chunk


def has_content(chunk: LLMChunk) -> bool:
    """Whether something of the answer is in it."""
    return bool(chunk.text or chunk.reasoning or chunk.tool_calls)

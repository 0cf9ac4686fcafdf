"""Providers that break one promise each. Of a rule with cases, one mutant may do for all or one stands for each."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx

from homeostasis_llm import (
    ChatHomeostasis,
    InvalidResponseError,
    LLMChunk,
    LLMConnectionError,
    LLMError,
    LLMMessage,
    LLMRequest,
    LLMResponse,
    Usage,
)
from homeostasis_llm.messages import TextPart
from homeostasis_llm.provider import as_chunk, without_key

from .small_provider import Small
from .small_suite import SmallSuite

Mutant = type[Small] | type[SmallSuite]

_numbers = itertools.count()


def _read(change: Callable[[LLMResponse], object]) -> type[Small]:
    """One that changes what it has read, whole or piece by piece."""

    class Mutant(Small):
        def read(self, found: Mapping[str, Any], answer: httpx.Response) -> LLMResponse:
            response = super().read(found, answer)
            change(response)
            return response

    return Mutant


def _text(change: Callable[[str], str]) -> type[Small]:
    def changed(response: LLMResponse) -> None:
        response.content = change(response.content)

    return _read(changed)


def _field(field: str) -> type[Small]:
    """One that does not send a field."""

    class Mutant(Small):
        def body(self, request: LLMRequest) -> dict[str, Any]:
            other = copy.copy(request)
            if field in {"tools", "tool_choice", "tool_choice_by_name"}:
                other.tool_choice = None
            name = {"tool_choice_by_name": "tool_choice"}.get(
                field, field.removesuffix("_json").removesuffix("_schema")
            )
            setattr(other, name, {} if name == "extra" else None)
            return super().body(other)

    return Mutant


def _failing(change: Callable[[LLMError], LLMError]) -> type[Small]:
    """One that raises something else when the server has failed."""

    class Mutant(Small):
        def error(self, status: int, headers: Mapping[str, str], body: bytes) -> LLMError:
            return change(super().error(status, headers, body))

    return Mutant


def _fact(**facts: object) -> type[Small]:
    """One that tells something else of an error."""

    def changed(error: LLMError) -> LLMError:
        for name, fact in facts.items():
            setattr(error, name, fact)
        return error

    return _failing(changed)


def _key_check(answer: bool) -> type[Small]:
    """One whose check always comes to the same."""

    class Mutant(Small):
        def validate_key(self, api_key: str) -> bool:
            with contextlib.suppress(LLMError):
                super().validate_key(api_key)
            return answer

    return Mutant


class Unreached(SmallSuite):
    wire = None


class Misspelled(SmallSuite):
    known_faults = {"test_that_nobody_has_written": "nobody knows"}  # noqa: RUF012  # never changed


class OddlyNamed(Small):
    name = "Small LLM!"


class Restless(Small):
    @property
    def name(self) -> str:  # type: ignore[override]  # the mistake
        return f"small{next(_numbers)}"


class Modelless(Small):
    default_model = ""


class OfOneModel(Small):
    def model(self, request: LLMRequest) -> str:  # noqa: ARG002  # the mistake
        return "another-1"


class Forward(Small):
    def __init__(self, api_key: str | None = None, *, base_url: str = "") -> None:
        super().__init__(api_key, base_url=base_url)
        self.get_available_models()


class Keyed(Small):
    def __init__(self, api_key: str | None = None, *, base_url: str = "") -> None:
        super().__init__(api_key, base_url=base_url)
        if not api_key:
            raise ValueError("no key")


class Tolerant(Small):
    def __init__(self, api_key: str | None = None, *, base_url: str = "", **options: Any) -> None:  # noqa: ARG002
        super().__init__(api_key, base_url=base_url)


class OddlyListing(Small):
    def get_available_models(self) -> list[str]:
        return [{"id": "model-a"}]  # type: ignore[list-item]  # the mistake


class FromMemory(Small):
    def get_available_models(self) -> list[str]:
        return ["small-1"]


class Hopeful(Small):
    def get_available_models(self) -> list[str]:
        try:
            return super().get_available_models()
        except LLMError:
            return []


def _nothing_is_nothing(field: str) -> type[Small]:
    class Mutant(Small):
        def body(self, request: LLMRequest) -> dict[str, Any]:
            found = super().body(request)
            if field == "extra":
                return {name: given for name, given in found.items() if given != ""}
            return found if getattr(request, field) else {name: given for name, given in found.items() if name != field}

    return Mutant


class Friendly(Small):
    def body(self, request: LLMRequest) -> dict[str, Any]:
        if request.system_prompt == "":
            request = replace(request, system_prompt="You are a helpful assistant.")
        return super().body(request)


class Inventive(Small):
    def body(self, request: LLMRequest) -> dict[str, Any]:
        return {"temperature": 0.7, **super().body(request)}


class Backward(Small):
    def messages(self, request: LLMRequest) -> list[dict[str, Any]]:
        return super().messages(request)[::-1]


class UserOnly(Small):
    def message(self, message: LLMMessage) -> dict[str, Any]:
        return {**super().message(message), "role": "user"}


class Resultless(Small):
    def messages(self, request: LLMRequest) -> list[dict[str, Any]]:
        return [message for message in super().messages(request) if message["role"] != "tool"]


class Tidy(Small):
    def message(self, message: LLMMessage) -> dict[str, Any]:
        message = copy.deepcopy(message)
        for call in message.tool_calls:
            call.invalid_arguments = None
        return super().message(message)


class FirstPartOnly(Small):
    def message(self, message: LLMMessage) -> dict[str, Any]:
        if isinstance(message.content, list):
            first = [part for part in message.content if isinstance(part, TextPart)][:1]
            message = LLMMessage(role=message.role, content=[*first])
        return super().message(message)


class AsciiOnly(Small):
    def message(self, message: LLMMessage) -> dict[str, Any]:
        made = super().message(message)
        return {**made, "content": made["content"].encode("ascii", "ignore").decode()}


class TypeBound(Small):
    def body(self, request: LLMRequest) -> dict[str, Any]:
        found = super().body(request)
        return found if type(request) is LLMRequest else {**found, "temperature": None}


class Meddling(Small):
    def body(self, request: LLMRequest) -> dict[str, Any]:
        found = super().body(request)
        request.extra["seen"] = True
        return found


class Repeating(Small):
    def complete(self, request: LLMRequest) -> LLMResponse:
        super().complete(request)
        return super().complete(request)


class KeyInBody(Small):
    def body(self, request: LLMRequest) -> dict[str, Any]:
        return {**super().body(request), "key": self.api_key}


class OfOnePart(Small):
    def text(self, message: Mapping[str, Any]) -> str:
        content = message["content"]
        return str(content[0]["text"] if isinstance(content, list) else content)


class Demanding(Small):
    def text(self, message: Mapping[str, Any]) -> str:
        return super().text(message) or str(message["nothing"])


class Indexless(Small):
    def fragment(self, call: Mapping[str, Any]) -> Any:
        return super().fragment({**call, "index": 0})


def _calls(change: Callable[[LLMResponse], object]) -> type[Small]:
    return _read(change)


class Lenient(Small):
    def guarded(self, read: Callable[[], LLMResponse]) -> LLMResponse:
        try:
            return super().guarded(read)
        except InvalidResponseError:
            return LLMResponse(content="")


class AtOnce(Small):
    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        yield as_chunk(self.complete(request))


class Collecting(Small):
    def bytes_of(self, answer: httpx.Response) -> Iterable[bytes]:
        yield b"".join(super().bytes_of(answer))

    def waits(self, request: LLMRequest) -> float:  # noqa: ARG002  # or the test would have to wait
        return 0.2


class Breathless(Small):
    def chunks(self, event: bytes, answer: httpx.Response) -> Iterator[LLMChunk]:
        for chunk in super().chunks(event, answer):
            yield replace(chunk, text=chunk.text.replace(" four", ""))


class Cumulative(Small):
    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        text = ""
        for chunk in super().complete_stream(request):
            text += chunk.text
            yield replace(chunk, text=text)


class PieceByPiece(Small):
    def events(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield from super().events([piece])


class Countless(Small):
    def stream_options(self) -> dict[str, Any]:
        return {}


class Strict(Small):
    def bytes_of(self, answer: httpx.Response) -> Iterable[bytes]:
        for piece in super().bytes_of(answer):
            if b": keep-alive" in piece:
                raise LLMConnectionError("what is that?", provider=self.name)
            yield piece


class UnixOnly(Small):
    def bytes_of(self, answer: httpx.Response) -> Iterable[bytes]:
        return (piece for piece in super().bytes_of(answer) if b"\r\n" not in piece)


class WaitingForDone(Small):
    def events(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        kept = list(pieces)
        yield from super().events(kept if any(b"[DONE]" in piece for piece in kept) else [])


class WantingText(Small):
    def is_whole(self, came: list[LLMChunk]) -> bool:
        return any(chunk.text for chunk in came)


class Content(Small):
    """With whatever comes of a stream."""

    def bytes_of(self, answer: httpx.Response) -> Iterable[bytes]:
        with contextlib.suppress(httpx.TransportError):
            yield from super().bytes_of(answer)

    def is_whole(self, came: list[LLMChunk]) -> bool:  # noqa: ARG002  # the mistake
        return True


class Forgetful(Small):
    def cut(self, error: LLMError, came: list[LLMChunk]) -> LLMError:  # noqa: ARG002  # the mistake
        return error


class Deaf(Small):
    def chunks(self, event: bytes, answer: httpx.Response) -> Iterator[LLMChunk]:
        if b'"error"' not in event:
            yield from super().chunks(event, answer)


class Leaking(Small):
    """Keeps the answer of each stream open."""

    kept: list[tuple[httpx.Client, httpx.Response, Iterator[bytes]]] = []  # noqa: RUF012  # shared by all, and emptied by the test's end

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        client = httpx.Client(timeout=20)
        body = {**self.body(request), "stream": True}
        sending = client.build_request("POST", f"{self._base_url}/chat/completions", json=body)
        answer = client.send(sending, stream=True)
        pieces = answer.iter_bytes()
        Leaking.kept.append((client, answer, pieces))
        for event in self.events(pieces):
            yield from self.chunks(event, answer)

    @classmethod
    def let_go(cls) -> None:
        for client, answer, _ in cls.kept:
            answer.close()
            client.close()
        cls.kept.clear()


def _anything(error: LLMError) -> LLMError:
    return LLMError(error.message, provider=error.provider, status_code=error.status_code)


class Retrying(Small):
    def ask(self, method: str, path: str, body: object = None, timeout: float = 20) -> httpx.Response:
        try:
            return super().ask(method, path, body, timeout)
        except LLMError:
            return super().ask(method, path, body, timeout)


class Verbose(Small):
    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> LLMError:
        error = super().error(status, headers, body)
        return type(error)(body.decode(), **error.facts())


class Parsing(Small):
    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> LLMError:
        return super().error(status, headers, json.dumps(json.loads(body)).encode())


class Raw(Small):
    """Keeps what came with the error."""

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> LLMError:
        error = super().error(status, headers, body)
        error.body = body.decode()  # type: ignore[attr-defined]  # the mistake
        return error


def _locked(error: LLMError) -> LLMError:
    error.lock = threading.Lock()  # type: ignore[attr-defined]  # the mistake
    return error


class Unconnected(Small):
    def transport_error(self, error: httpx.TransportError) -> LLMError:  # noqa: ARG002  # the mistake
        return LLMError("that went wrong", provider=self.name)


class Following(Small):
    follows_redirects = True


class Rash(Small):
    """Looks at no status of a stream."""

    def complete_stream(self, request: LLMRequest) -> Iterator[LLMChunk]:
        self._rash = True
        try:
            yield from super().complete_stream(request)
        finally:
            self._rash = False

    def look(self, answer: httpx.Response) -> None:
        if not self.__dict__.get("_rash"):
            super().look(answer)


class Raising(Small):
    def validate_key(self, api_key: str) -> bool:
        with self.twin(api_key) as other:
            other.get_available_models()
        return True


class OfItsOwnKey(Small):
    def twin(self, api_key: str) -> Small:  # noqa: ARG002  # the mistake
        return type(self)(self.api_key, base_url=self._base_url)


class KeyKeeping(Small):
    def validate_key(self, api_key: str) -> bool:
        self.api_key = api_key
        return super().validate_key(api_key)


class Unchecked(Small):
    @property
    def api_key(self) -> Any:
        return self._kept

    @api_key.setter
    def api_key(self, key: Any) -> None:
        self._kept = key


class ShowingKey(Small):
    def __init__(self, api_key: str | None = None, *, base_url: str = "") -> None:
        super().__init__(api_key, base_url=base_url)
        self.header = f"Bearer {api_key}"


class WithLock(Small):
    def __init__(self, api_key: str | None = None, *, base_url: str = "") -> None:
        super().__init__(api_key, base_url=base_url)
        self._lock = threading.Lock()


class KeylessCopies(Small):
    def __copy__(self) -> KeylessCopies:
        return without_key(self)


class Homeless(Small):
    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_base_url": "http://127.0.0.1:9"}


class OneAtATime(Small):
    """Keeps the request that it works on in itself."""

    def complete(self, request: LLMRequest) -> LLMResponse:
        self._request = request
        time.sleep(0.05)
        return super().complete(self._request)


class OfOneLoop(Small):
    _loop: asyncio.AbstractEventLoop | None = None

    async def acomplete(self, request: LLMRequest) -> LLMResponse:
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise LLMError("attached to a different loop")
        return await super().acomplete(request)


class NeverClosed(Small):
    def close(self) -> None:
        """Do nothing, but at the end of the test."""

    def __del__(self) -> None:
        super().close()


class ClosedForGood(Small):
    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def client(self) -> httpx.Client:
        if self._client is not None and self._client.is_closed:
            raise LLMError("closed")
        return super().client()


class Talkative(Small):
    def body(self, request: LLMRequest) -> dict[str, Any]:
        print("asking")  # noqa: T201  # the mistake
        return super().body(request)


class InEnvironment(Small):
    def body(self, request: LLMRequest) -> dict[str, Any]:
        os.environ["SMALL_API_BASE"] = f"{self._base_url}#{next(_numbers)}"
        return super().body(request)


class _OnlyOnce(ChatHomeostasis):
    """Can be made by `as_chat_model` alone."""

    def __init__(self, *, first: bool = False, **fields: Any) -> None:
        if not first:
            raise RuntimeError("no more")
        super().__init__(**fields)


class Unmakeable(Small):
    def as_chat_model(self, **options: Any) -> ChatHomeostasis:
        return _OnlyOnce(first=True, provider=self, **options)


_EMPTY = _text(lambda _: "")


class SilentStream(Small):
    def chunks(self, event: bytes, answer: httpx.Response) -> Iterator[LLMChunk]:
        for chunk in super().chunks(event, answer):
            yield replace(chunk, text="")


def _set(**fields: object) -> type[Small]:
    def changed(response: LLMResponse) -> None:
        for name, given in fields.items():
            setattr(response, name, given)

    return _read(changed)


def _without_id(response: LLMResponse) -> None:
    response.metadata["response_id"] = None


def _without_arguments(response: LLMResponse) -> None:
    for call in response.tool_calls:
        call.arguments = {}


def _with_arguments_only(response: LLMResponse) -> None:
    response.tool_calls = [call for call in response.tool_calls if call.arguments]


def _one_call(response: LLMResponse) -> None:
    response.tool_calls = response.tool_calls[:1]


def _text_or_calls(response: LLMResponse) -> None:
    response.content = "" if response.tool_calls else response.content


MUTANTS: dict[str, Mutant | Callable[[str], Mutant]] = {
    # Identity
    "test_it_is_said_how_the_provider_is_reached": Unreached,
    "test_the_declared_faults_are_faults_of_rules": Misspelled,
    "test_the_name_can_be_typed_everywhere": OddlyNamed,
    "test_each_object_has_the_same_name": Restless,
    "test_a_default_model_is_named": Modelless,
    "test_the_default_model_is_asked_where_none_is_named": OfOneModel,
    "test_to_be_made_asks_nobody": Forward,
    "test_it_can_be_made_without_a_key": Keyed,
    "test_an_unknown_option_is_refused": Tolerant,
    "test_a_plain_question_has_an_answer": _EMPTY,
    "test_models_are_listed_by_name": OddlyListing,
    "test_the_listing_is_the_servers": FromMemory,
    "test_a_listing_that_fails_is_an_error_of_ours": Hopeful,
    # Requests
    "test_a_field_is_sent_or_refused": lambda case: OfOneModel if case == "model" else _field(case),
    "test_nothing_is_a_choice": _nothing_is_nothing,
    "test_an_empty_system_prompt_is_not_filled": Friendly,
    "test_what_was_not_asked_is_not_made_up": Inventive,
    "test_a_conversation_arrives_in_its_order": Backward,
    "test_roles_are_told_apart": UserOnly,
    "test_the_result_of_a_tool_travels": Resultless,
    "test_a_call_of_nonsense_travels": Tidy,
    "test_a_part_of_a_message_is_sent_or_refused": FirstPartOnly,
    "test_every_character_arrives": AsciiOnly,
    "test_a_request_of_the_providers_own_travels": TypeBound,
    "test_the_request_is_left_as_it_was": Meddling,
    "test_one_question_is_one_request": Repeating,
    "test_the_key_is_shown_and_nowhere_but_in_its_place": KeyInBody,
    # Answers
    "test_the_text_is_read_as_it_is": {
        "plain": _text(str.upper),
        "unicode": _text(lambda text: text.encode("ascii", "replace").decode()),
        "white_space": _text(str.strip),
        "line_separators": _text(lambda text: "\n".join(text.splitlines())),
        "like_a_stream": _text(lambda text: text.replace("data: [DONE]", "")),
        "very_long": _text(lambda text: text[:65536]),
    }.__getitem__,
    "test_several_parts_are_one_text": OfOnePart,
    "test_an_empty_answer_is_an_empty_text": Demanding,
    "test_tool_calls_are_read": {
        "one": _calls(_without_arguments),
        "parallel": _calls(_one_call),
        "without_arguments": _calls(_with_arguments_only),
    }.__getitem__,
    "test_tool_calls_may_stand_beside_text": _calls(_text_or_calls),
    "test_pieces_of_several_calls_may_come_in_turns": Indexless,
    "test_usage_is_read": _set(usage=None),
    "test_usage_that_is_not_told_is_unknown": _set(usage=Usage(input_tokens=0, output_tokens=0)),
    "test_the_finish_reason_is_told": lambda case: _set(finish_reason="length" if case == "stop" else "stop"),
    "test_a_call_for_tools_is_the_reason": _set(finish_reason="stop"),
    "test_the_answers_own_id_is_told": _read(_without_id),
    "test_the_request_id_is_told": _set(request_id=None),
    "test_the_model_that_answered_is_told": _set(model="small-1"),
    "test_an_answer_that_cannot_be_read_is_an_error": Lenient,
    # Streams
    "test_a_stream_comes_in_pieces": AtOnce,
    "test_the_first_piece_comes_before_the_last_is_sent": Collecting,
    "test_the_pieces_add_up_to_the_whole_answer": Breathless,
    "test_each_piece_holds_what_is_new": Cumulative,
    "test_a_stream_may_be_cut_at_every_byte": PieceByPiece,
    "test_tool_calls_may_be_cut_at_every_byte": PieceByPiece,
    "test_usage_comes_with_a_stream": Countless,
    "test_comments_say_nothing": Strict,
    "test_lines_may_end_with_crlf": UnixOnly,
    "test_the_last_word_may_be_missing": WaitingForDone,
    "test_a_stream_without_text_is_no_cut_one": WantingText,
    "test_a_stream_without_anything_is_an_error": Content,
    "test_a_stream_that_is_cut_is_an_error": Content,
    "test_what_had_come_is_kept_when_a_stream_breaks": Forgetful,
    "test_an_error_inside_a_stream_is_raised": Deaf,
    "test_an_abandoned_stream_closes_its_connection": Leaking,
    "test_an_abandoned_stream_of_an_event_loop_closes_its_connection": Leaking,
    # Failures
    "test_a_status_has_its_error": _failing(_anything),
    "test_an_error_tells_what_the_provider_said": _fact(args=("that went wrong",)),
    "test_an_error_names_the_provider": _fact(provider=""),
    "test_a_failure_is_one_request": Retrying,
    "test_errors_say_whether_to_try_again": _fact(retryable=True),
    "test_a_web_page_is_an_error_without_its_text": Verbose,
    "test_an_empty_body_is_an_error_all_the_same": Parsing,
    "test_the_wait_is_told": _fact(retry_after=None),
    "test_a_wait_that_is_not_told_is_unknown": _fact(retry_after=60.0),
    "test_an_error_tells_the_request_id": _fact(request_id=None),
    "test_a_key_that_is_echoed_is_shown_to_nobody": Raw,
    "test_errors_survive_copies_and_pickles": _failing(_locked),
    "test_a_refused_connection_is_a_connection_error": Unconnected,
    "test_a_broken_connection_is_a_connection_error": Unconnected,
    "test_a_failed_connection_names_its_cause": Unconnected,
    "test_a_request_may_limit_its_time": Unconnected,
    "test_a_redirect_is_not_followed": Following,
    "test_a_stream_that_is_refused_is_that_error": Rash,
    # Keys
    "test_a_good_key_is_accepted": _key_check(False),
    "test_a_wrong_key_is_refused": Raising,
    "test_a_failing_server_says_nothing_of_a_key": _key_check(False),
    "test_a_dead_network_says_nothing_of_a_key": _key_check(False),
    "test_the_key_that_is_checked_is_the_one_that_is_given": OfItsOwnKey,
    "test_the_providers_own_key_stays": KeyKeeping,
    "test_a_key_no_header_can_carry_is_refused": Unchecked,
    "test_the_key_check_tells": lambda case: _key_check(case == "rejected"),
    "test_the_key_check_tells_a_failing_server": _key_check(False),
    "test_the_key_check_tells_a_dead_network": _key_check(False),
    # Hygiene
    "test_no_key_is_shown": ShowingKey,
    "test_copies_answer_as_well": WithLock,
    "test_a_copy_has_the_key": KeylessCopies,
    "test_pickles_hold_no_key": ShowingKey,
    "test_a_pickled_provider_answers_as_well": Homeless,
    "test_threads_may_share_it": OneAtATime,
    "test_tasks_may_share_it": OneAtATime,
    "test_event_loops_may_share_it": OfOneLoop,
    "test_nothing_is_left_open": NeverClosed,
    "test_it_can_be_used_after_it_was_closed": ClosedForGood,
    "test_nothing_is_printed": Talkative,
    "test_the_environment_is_left_alone": InEnvironment,
    # LangChain
    "test_the_chat_model_passes_langchains_unit_suite": Unmakeable,
    "test_the_chat_model_answers": _EMPTY,
    "test_the_chat_model_streams": SilentStream,
}
"""By rule; a function is given the case."""


def mutant_of(rule: str) -> type[SmallSuite]:
    """The suite over the mutant that must break `rule`, which is named with its case."""
    name, _, case = rule.removesuffix("]").partition("[")
    found: Any = MUTANTS[name]
    made = found if isinstance(found, type) else found(case)
    if issubclass(made, SmallSuite):
        return made
    return type("MutantSuite", (SmallSuite,), {"provider": made})

"""The key is in the request and nowhere else: in no error, no frame of a traceback, no repr, no pickle."""

from __future__ import annotations

import asyncio
import copy
import pickle
import traceback
from collections.abc import Callable

import pytest

from homeostasis_llm import HTTPRequest, LLMError, LLMRequest, LLMResponse, merge_chunks
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.faults import answer, hang_up, silence

from ..loopback import Loopback
from .zorb import KEY, Zorb, asked

Way = Callable[[Zorb], LLMResponse]


def _complete(provider: Zorb) -> LLMResponse:
    return provider.complete(asked(timeout=0.5))


def _acomplete(provider: Zorb) -> LLMResponse:
    return asyncio.run(provider.acomplete(asked(timeout=0.5)))


def _stream(provider: Zorb) -> LLMResponse:
    return merge_chunks(provider.complete_stream(asked(timeout=0.5))).to_response()


def _astream(provider: Zorb) -> LLMResponse:
    async def read() -> LLMResponse:
        return merge_chunks([chunk async for chunk in provider.acomplete_stream(asked(timeout=0.5))]).to_response()

    return asyncio.run(read())


every_way = pytest.mark.parametrize("way", [_complete, _acomplete, _stream, _astream])
every_auth = pytest.mark.parametrize("auth", ["bearer", "scheme:Api-Key", "header:x-zorb-key", "query:key"])


def _shown(error: BaseException) -> str:
    """What an error tracker would show: the error, its causes, and every local variable of every frame of ours."""
    told = [*traceback.format_exception(error), repr(error), repr(vars(error))]
    link: BaseException | None = error
    while link is not None:
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if "homeostasis_llm" in frame.f_code.co_filename:
                told += [_repr(local) for local in frame.f_locals.values()]
        link = link.__cause__ or link.__context__
    return "\n".join(told)


def _repr(local: object) -> str:
    return repr(local)


def _failure(way: Way, provider: Zorb) -> LLMError:
    with provider, pytest.raises(LLMError) as caught:
        way(provider)
    return caught.value


@every_auth
@every_way
def test_a_refusal_that_echoes_the_key_shows_it_nowhere(way: Way, auth: str, loopback: Loopback) -> None:
    loopback.reply(status=401, json={"error": {"message": f"no such key: {KEY}"}})

    error = _failure(way, Zorb(KEY, base_url=loopback.url, auth=auth))

    sent = loopback.requests[0]
    assert KEY in f"{sent.headers} {sent.query}"
    assert KEY not in _shown(error)


@every_way
@pytest.mark.parametrize("body", [KEY, f'"{KEY}"', f'{{"error": "{KEY}"}}', f'{{"choices": "{KEY}"}}', f"<p>{KEY}</p>"])
def test_an_answer_that_echoes_the_key_and_cannot_be_read_shows_it_nowhere(
    way: Way, body: str, loopback: Loopback
) -> None:
    loopback.reply(body=body)

    assert KEY not in _shown(_failure(way, Zorb(KEY, base_url=loopback.url)))


@pytest.mark.parametrize("way", [_stream, _astream])
@pytest.mark.parametrize("event", [KEY, f'{{"error": {{"message": "{KEY}"}}}}', f'{{"{KEY}": 1}}'])
def test_an_event_that_echoes_the_key_shows_it_nowhere(way: Way, event: str, loopback: Loopback) -> None:
    loopback.reply(chunks=[f"data: {event}\n\n"])

    assert KEY not in _shown(_failure(way, Zorb(KEY, base_url=loopback.url)))


@every_auth
@every_way
def test_a_connection_that_fails_shows_the_key_nowhere(way: Way, auth: str) -> None:
    with FaultServer() as server:
        server.then(hang_up("before_headers"))
        broken = _failure(way, Zorb(KEY, base_url=server.url, auth=auth))
        server.then(silence("between_chunks", after_chunks=1, of=answer("One two")))
        late = _failure(way, Zorb(KEY, base_url=server.url, auth=auth))

    assert KEY not in _shown(broken)
    assert KEY not in _shown(late)


@every_auth
@every_way
def test_a_request_that_cannot_be_sent_shows_the_key_nowhere(way: Way, auth: str) -> None:
    class Wrong(Zorb):
        def build_request(self, request: LLMRequest) -> HTTPRequest:
            return HTTPRequest("/", json={"messages": request})

    assert KEY not in _shown(_failure(way, Wrong(KEY, base_url="http://127.0.0.1:9", auth=auth)))
    assert KEY not in _shown(_failure(way, Zorb(KEY, base_url="", auth=auth)))


def test_a_key_check_that_fails_shows_the_key_nowhere() -> None:
    with FaultServer() as server:
        server.then(hang_up("before_headers"))
        provider = Zorb("zorb-another-0123456789", base_url=server.url)
        with pytest.raises(LLMError) as caught:
            provider.validate_key(KEY)
        checked = provider.check_key(KEY)
        models_less = Zorb("zorb-another-0123456789", base_url=server.url, models_path=None)
        server.then(hang_up("before_headers"))
        with pytest.raises(LLMError) as by_a_token:
            models_less.validate_key(KEY)

    assert KEY not in _shown(caught.value)
    assert KEY not in _shown(by_a_token.value)
    assert KEY not in repr(checked)


def test_no_repr_and_no_pickle_of_a_provider_in_use_holds_the_key(loopback: Loopback) -> None:
    loopback.always(status=401, json={})
    with Zorb(KEY, base_url=loopback.url) as provider:
        with pytest.raises(LLMError):
            provider.complete(asked())

        assert KEY not in f"{provider!r} {vars(provider)!r}"
        assert KEY.encode() not in pickle.dumps(provider)
        for twin in (copy.copy(provider), copy.deepcopy(provider)):
            assert twin.api_key == KEY
            assert "_http_clients" not in vars(twin)

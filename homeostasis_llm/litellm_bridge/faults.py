"""Turn what went wrong under litellm into one of our errors.

What the wire said comes first: litellm's exceptions have lost half of it. Its own class refines a bare "invalid
request" and decides where nothing was sent.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import Any

import httpx

from ..error_facts import error_from_answer
from ..errors import (
    APIKeyMissingError,
    ContentRefusedError,
    ContextLengthError,
    InvalidRequestError,
    InvalidResponseError,
    LLMConnectionError,
    LLMError,
    LLMTimeoutError,
    UnsuitableRequestError,
)
from ..keys.obstacles import chain
from ..redaction import redact
from .exchange import Exchange
from .incoming import tail_events
from .runtime import load_litellm

_ADVICE_FOR_LITELLM = re.compile(r"[.,;]?\s*\b(?:To drop|[Ss]et `?drop_params).*", re.DOTALL)
"""What litellm tells its own users to do about a parameter; ours cannot, and nothing is dropped for them."""


def to_error(error: Exception, exchange: Exchange, provider: str, model: str | None) -> LLMError:
    """Ours for an exception that came out of litellm. It has no context: raise it outside the `except` block."""
    found = _from_wire(error, exchange, provider, model) or _from_litellm(error, provider, model)
    return found.with_cause(error)


def stream_error(exchange: Exchange, provider: str, model: str | None) -> LLMError:
    """For a stream that ended without its end: the error it told last, or that it broke off."""
    return _told_in_band(exchange, provider, model) or LLMConnectionError(
        f"{provider or 'the provider'} closed the stream before it was finished",
        provider=provider,
        model=model,
        status_code=exchange.status,
    )


def _from_wire(error: Exception, exchange: Exchange, provider: str, model: str | None) -> LLMError | None:
    facts: dict[str, Any] = {"provider": provider, "model": model, "status_code": exchange.status}
    transport = exchange.failure or next((link for link in chain(error) if _is_transport(link)), None)
    if transport is not None and not exchange.failed:
        return _transport_error(transport, exchange, facts)
    if exchange.failed:
        body = exchange.error_body
        told = error_from_answer(exchange.status, exchange.headers, body, provider=provider, model=model)
        return _refined(told, error)
    if exchange.status is not None:
        page = "text/html" in exchange.headers.get("content-type", "")
        hint = "it is a web page, not an API's answer; check the base URL" if page else _first_line(error)
        return _told_in_band(exchange, provider, model) or InvalidResponseError(
            f"{provider} gave an answer that cannot be read: {hint}", **facts
        )
    return None


def _from_litellm(error: Exception, provider: str, model: str | None) -> LLMError:
    """Where our client saw nothing: litellm used one of its own, or refused before sending."""
    litellm = load_litellm()
    answered = next(
        (link for link in chain(error) if isinstance(getattr(link, "headers", None), (dict, httpx.Headers))), None
    )
    if answered is not None and isinstance(status := getattr(answered, "status_code", None), int):
        headers = {str(name): str(found) for name, found in dict(getattr(answered, "headers", {})).items()}
        body = getattr(answered, "body", None) or str(getattr(answered, "message", ""))
        return _refined(error_from_answer(status, headers, body, provider=provider, model=model), error)
    facts: dict[str, Any] = {"provider": provider, "model": model}
    said = _first_line(error)
    if isinstance(error, litellm.AuthenticationError):
        return APIKeyMissingError(f"{provider} needs credentials that are not there: {said}", **facts)
    if isinstance(error, litellm.UnsupportedParamsError):
        said = _ADVICE_FOR_LITELLM.sub("", said).rstrip()
        return UnsuitableRequestError(
            f"the request does not suit {provider}: {said}; ask without that, or for another model", **facts
        )
    if isinstance(error, (litellm.BadRequestError, litellm.NotFoundError, ValueError)):
        # Nothing was sent: that is litellm's knowledge of this provider, which says nothing of the next one.
        return _refined(UnsuitableRequestError(f"the request does not suit {provider}: {said}", **facts), error)
    if isinstance(error, litellm.Timeout):
        return LLMTimeoutError(f"{provider} did not answer in time", **facts)
    return LLMError(f"{provider} could not be asked: {said}", **facts)


def _refined(told: LLMError, error: Exception) -> LLMError:
    """A bare "invalid request" made exact by litellm, which knows what some providers say instead of a code."""
    litellm = load_litellm()
    if type(told) in {InvalidRequestError, UnsuitableRequestError}:
        kind = next(
            (
                ours
                for theirs, ours in (
                    (litellm.ContextWindowExceededError, ContextLengthError),
                    (litellm.ContentPolicyViolationError, ContentRefusedError),
                )
                if isinstance(error, theirs)
            ),
            None,
        )
        if kind is not None:
            return kind(told.message, **{**told.facts(), "error_type": None})
    return told


def _told_in_band(exchange: Exchange, provider: str, model: str | None) -> LLMError | None:
    """The error that a stream, or a body with a good status, told in JSON."""
    for event in reversed(list(tail_events(exchange))):
        if event.get("error") or event.get("type") in {"error", "response.failed"} or "errorCode" in event:
            return error_from_answer(exchange.status, exchange.headers, event, provider=provider, model=model)
        delta = event.get("delta")  # Cohere's last word in a stream that failed
        if isinstance(delta, dict) and delta.get("error"):
            return error_from_answer(exchange.status, exchange.headers, delta, provider=provider, model=model)
    return None


def _is_transport(error: BaseException) -> bool:
    return isinstance(error, httpx.TransportError)


def _transport_error(  # noqa: PLR0911  # a table of cases
    error: BaseException, exchange: Exchange, facts: dict[str, Any]
) -> LLMError:
    who, waits = facts["provider"] or "the provider", exchange.timeout
    match error:
        case LLMTimeoutError():
            return LLMTimeoutError(f"{who}: {error.message}", **facts)
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return LLMTimeoutError(f"{who}: no connection within {waits.connect:g} s", **facts)
        case httpx.TimeoutException() if exchange.status is None:
            wait = min(filter(None, (waits.first_byte, waits.total)), default=0)
            return LLMTimeoutError(f"{who}: no answer within {wait:g} s", **facts)
        case httpx.TimeoutException():
            wait = min(filter(None, (waits.between_chunks, waits.total)), default=0)
            return LLMTimeoutError(f"{who}: the answer stalled for {wait:g} s", **facts)
        case httpx.ConnectError() | httpx.ProxyError():
            return LLMConnectionError(f"{who}: no connection: {_why(error)}", **facts)
        case httpx.UnsupportedProtocol():
            return InvalidRequestError(f"{who}: the base URL must begin with https:// or http://", **facts)
    return LLMConnectionError(f"{who}: the connection broke: {_first_line(error)}", **facts)


def _why(error: BaseException) -> str:
    """Why no connection came about, in the system's words, whatever library was asked."""
    for link in chain(error):
        if isinstance(link, socket.gaierror):
            return "the name of the host does not resolve"
        if isinstance(link, ssl.SSLError):
            return f"TLS: {getattr(link, 'verify_message', '') or link.reason}"
        if isinstance(link, OSError) and link.errno:
            return os.strerror(link.errno).lower()
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    """What the innermost exception says, without litellm's labels in front and its traceback below."""
    *_, innermost = (link for link in chain(error) if not isinstance(link, StopIteration))
    lines = str(innermost).strip().splitlines() or [type(innermost).__name__]
    said = lines[0].partition(" To drop these")[0]  # advice on settings of litellm's that are not ours to offer
    said = redact(said)  # before it is cut, so that no half of a key survives
    said = re.sub(r"^(litellm\.)?\w*(Error|Exception)\b( -|:) ", "", said)[:300]
    # What was looked for and missed is no sentence.
    return f"{type(innermost).__name__}: {said}" if isinstance(innermost, LookupError) else said

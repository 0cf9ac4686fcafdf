"""What becomes of failures: which error, with which facts, and without any key."""

from __future__ import annotations

import copy
import pickle
import time
import traceback
from email.utils import formatdate

import pytest

from ....errors import (
    AuthenticationError,
    InvalidRequestError,
    LLMConnectionError,
    LLMError,
    LLMTimeoutError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from ..bench import CROSSED, STREAMED, WHOLE, Bench
from ..declarations import Declarations
from ..serving import Answered
from ..verdicts import require

STATUSES: dict[int, type[LLMError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: ModelNotFoundError,
    408: LLMTimeoutError,
    413: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitError,
    500: ServerError,
    502: ServerError,
    503: OverloadedError,
    504: LLMTimeoutError,
    529: OverloadedError,
}

_PATIENCE = 20.0
"""Seconds: far more than was given, for a busy machine has its own time."""

_WAIT = 7.0
_NOW = 1_700_000_000.0

WAITS: dict[str, dict[str, str]] = {
    "seconds": {"retry-after": "7"},
    "milliseconds": {"retry-after-ms": "7000"},
    "date": {"date": formatdate(_NOW, usegmt=True), "retry-after": formatdate(_NOW + _WAIT, usegmt=True)},
}

_PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"

_TABLE = "error_from_answer(status, headers, body, provider=self.name) of homeostasis_llm makes it"


class FailureRules(Declarations):
    """Errors."""

    @pytest.mark.parametrize("status", STATUSES)
    def test_a_status_has_its_error(self, bench: Bench, status: int) -> None:
        expected = STATUSES[status]
        bench.fail(status, "that went wrong for zorb")
        for way, error in bench.failures(ways=CROSSED):
            require(
                isinstance(error, expected),
                f"{way} raised {type(error).__name__} ({error}) for status {status}: raise {expected.__name__}; "
                f"{_TABLE}.",
            )
            require(
                error.status_code == status,
                f"{way} raised an error with status_code {error.status_code!r} for status {status}: tell the status.",
            )

    def test_an_error_tells_what_the_provider_said(self, bench: Bench) -> None:
        bench.fail(400, "that went wrong for zorb")
        for way, error in bench.failures(ways=CROSSED):
            require(
                "that went wrong for zorb" in str(error),
                f"{way} raised {type(error).__name__} with the text {str(error)!r}, without the provider's own words: "
                f"repeat them; {_TABLE}.",
            )

    def test_an_error_names_the_provider(self, bench: Bench) -> None:
        bench.fail(500)
        for way, error in bench.failures(ways=CROSSED):
            require(
                error.provider == bench.provider.name,
                f"{way} raised an error whose provider is {error.provider!r}: give it provider=self.name.",
            )

    def test_a_failure_is_one_request(self, bench: Bench) -> None:
        server = bench.server
        for status in (429, 500):
            bench.fail(status)
            for way, _ in bench.failures(ways=CROSSED):
                require(
                    server.count == 1,
                    f"{way} has sent {server.count} requests when the server answered {status}: send one, and raise. "
                    "Who retries, and how often, is the caller's to say.",
                )
                server.forget()

    def test_errors_say_whether_to_try_again(self, bench: Bench) -> None:
        for status, again in ((401, False), (400, False), (429, True), (503, True)):
            bench.fail(status)
            for way, error in bench.failures(ways=WHOLE):
                require(
                    error.retryable is again,
                    f"{way} raised an error for status {status} whose retryable is {error.retryable}: leave it to the "
                    "error's class, which knows.",
                )

    @pytest.mark.parametrize("status", [403, 502])
    def test_a_web_page_is_an_error_without_its_text(self, bench: Bench, status: int) -> None:
        bench.serve(Answered(status=status, media_type="text/html", body=_PAGE))
        for way, error in bench.failures(ways=CROSSED):
            require(
                isinstance(error, STATUSES[status]) and "<" not in str(error),
                f"{way} raised {type(error).__name__} ({error}) for a proxy's web page with status {status}: raise "
                f"{STATUSES[status].__name__}, and leave the page out of its text; {_TABLE}.",
            )

    @pytest.mark.parametrize("status", [401, 429, 500])
    def test_an_empty_body_is_an_error_all_the_same(self, bench: Bench, status: int) -> None:
        bench.serve(Answered(status=status))
        for way, error in bench.failures(ways=CROSSED):
            require(
                isinstance(error, STATUSES[status]) and str(error),
                f"{way} raised {type(error).__name__} ({error}) for status {status} without a body: raise "
                f"{STATUSES[status].__name__} with a sentence; {_TABLE}.",
            )

    @pytest.mark.parametrize("form", WAITS)
    def test_the_wait_is_told(self, bench: Bench, form: str) -> None:
        bench.fail(429, headers=WAITS[form])
        for way, error in bench.failures(ways=CROSSED):
            require(
                error.retry_after is not None and abs(error.retry_after - _WAIT) < 0.01,
                f"{way} says that one has to wait {error.retry_after!r} s where the server told {_WAIT:g} s ({form}): "
                f"read {' and '.join(WAITS[form])} into retry_after; {_TABLE}.",
            )

    def test_a_wait_that_is_not_told_is_unknown(self, bench: Bench) -> None:
        bench.fail(429)
        for way, error in bench.failures(ways=WHOLE):
            require(
                error.retry_after is None,
                f"{way} says that one has to wait {error.retry_after!r} s, which nobody has told: leave retry_after "
                "None.",
            )

    def test_an_error_tells_the_request_id(self, bench: Bench) -> None:
        header = bench.wire.request_id_header
        self.needs_of_wire(header, "header with a request's number")
        bench.fail(500, headers={str(header): "req-zorb-2"})
        for way, error in bench.failures(ways=CROSSED):
            require(
                error.request_id == "req-zorb-2",
                f"{way} raised an error whose request_id is {error.request_id!r}: put the header {header} there; "
                f"{_TABLE}.",
            )

    def test_a_key_that_is_echoed_is_shown_to_nobody(self, bench: Bench) -> None:
        bench.fail(401, f"Incorrect API key provided: {self.key}.")
        for way, error in bench.failures():
            shown = "".join(traceback.format_exception(error))
            told = f"{error!r} {error.facts()} {error.partial}"
            require(
                self.key not in shown and self.key not in told,
                f"{way} raised an error that shows the key: give LLMError the message alone, which it cleans, and "
                "chain "
                "with error.with_cause(original) instead of `from original`.",
            )

    def test_errors_survive_copies_and_pickles(self, bench: Bench) -> None:
        bench.fail(429, headers={"retry-after": "7"})
        for way, error in bench.failures(ways=CROSSED):
            for made, how in ((copy.copy, "copy"), (copy.deepcopy, "deepcopy"), (_pickled, "pickle")):
                try:
                    twin = made(error)
                except Exception as refused:  # noqa: BLE001  # an attribute of an author's own may do anything
                    twin = refused
                require(
                    type(twin) is type(error) and str(twin) == str(error) and _wait(twin) == error.retry_after,
                    f"An error of {way} did not survive {how} ({twin!r}): let it hold texts and numbers, and no HTTP "
                    "object; subclasses with arguments of their own take **facts.",
                )

    def test_a_refused_connection_is_a_connection_error(self, bench: Bench) -> None:
        bench.server.stop_listening()
        self._connection_fails(bench, "nobody listens at its address")

    def test_a_broken_connection_is_a_connection_error(self, bench: Bench) -> None:
        bench.serve(Answered(then="hang_up"))
        self._connection_fails(bench, "the server hung up amid its answer")

    def _connection_fails(self, bench: Bench, what: str) -> None:
        for way, error in bench.failures():
            require(
                isinstance(error, LLMConnectionError),
                f"{way} raised {type(error).__name__} ({error}) where {what}: raise LLMConnectionError.",
            )

    def test_a_failed_connection_names_its_cause(self, bench: Bench) -> None:
        bench.server.stop_listening()
        for way, error in bench.failures():
            require(
                error.__cause__ is not None,
                f"{way} raised {type(error).__name__} ({error}) without a cause: raise "
                "LLMConnectionError(...).with_cause(error), so that people can see what lay behind it.",
            )

    def test_a_request_may_limit_its_time(self, bench: Bench) -> None:
        bench.serve(Answered(then="silence"))
        started = time.monotonic()
        for way, error in bench.failures(bench.request(timeout=0.2), ways=CROSSED):
            took = time.monotonic() - started
            require(
                isinstance(error, LLMTimeoutError) and took < _PATIENCE,
                f"{way} raised {type(error).__name__} ({error}) after {took:.1f} s where request.timeout was 0.2 s: "
                "give it "
                "to your HTTP client, and raise LLMTimeoutError.",
            )

    def test_a_redirect_is_not_followed(self, bench: Bench) -> None:
        server = bench.server
        bench.serve(Answered(status=307, headers={"location": f"{server.url}/elsewhere"}))
        for way, error in bench.failures(ways=CROSSED):
            require(
                not any(request.path == "/elsewhere" for request in server.requests),
                f"{way} has followed a redirect and raised {type(error).__name__} in the end: do not follow redirects; "
                "the key would go along, to whomever.",
            )

    def test_a_stream_that_is_refused_is_that_error(self, bench: Bench) -> None:
        bench.fail(401)
        for way, error in bench.failures(ways=STREAMED):
            require(
                isinstance(error, AuthenticationError),
                f"{way} raised {type(error).__name__} ({error}) for a stream that was refused with 401: look at the "
                "status before the events.",
            )


def _pickled(error: LLMError) -> object:
    return pickle.loads(pickle.dumps(error))  # noqa: S301  # our own, made on the same line


def _wait(found: object) -> object:
    return getattr(found, "retry_after", None)

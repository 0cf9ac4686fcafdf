"""Every error of this package: what went wrong, as facts a program can act on.

    LLMError                            anything below; also what a provider's author may raise with a text alone
    ├── APIKeyError
    │   ├── AuthenticationError         401: the key is wrong, revoked or expired
    │   ├── APIKeyMissingError          no key was found; nothing was sent
    │   └── KeyValidationError          a key was given that will not do (in `keys.errors`)
    ├── PermissionDeniedError           403: the key is good, but not for this
    ├── QuotaExceededError              out of credit or of a quota that waiting will not refill
    ├── RateLimitError                  429: too fast; `retry_after` says how long to wait
    ├── InvalidRequestError             400, or refused before sending; also a ValueError
    │   ├── ContextLengthError          the prompt does not fit; `prompt_tokens` of `context_tokens`
    │   ├── UnsuitableRequestError      this provider or model cannot do it; another one may
    │   └── UnknownProviderError        no provider of that name
    ├── ModelNotFoundError              404 for the model
    ├── ContentRefusedError             a content filter said no
    ├── ServerError                     5xx
    │   └── OverloadedError             503, 529: too busy for now
    ├── LLMTimeoutError                 no answer in time; also a TimeoutError
    ├── LLMConnectionError              no connection, or it broke, also amid a stream; also a ConnectionError
    ├── InvalidResponseError            an answer that cannot be read
    ├── ConfigError                     the settings file cannot be read, understood or changed (in `config`)
    ├── KeyStorageError                 a key cannot be stored or removed (in `keys.errors`)
    ├── BrokenPluginError               a plugin cannot be loaded, or two claim one name
    └── AllProvidersFailedError         each provider's own error is in `errors`

A class exists where a caller would act differently; everything else is an attribute.
"""

from __future__ import annotations

import copyreg
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from .redaction import redact

if TYPE_CHECKING:
    from .attempts import Attempt
    from .response import LLMResponse


class ErrorType(StrEnum):
    """The kind of an `LLMError`, for logs, metrics and code that prefers a word to a class."""

    AUTHENTICATION = "authentication"
    KEY_MISSING = "key_missing"
    PERMISSION_DENIED = "permission_denied"
    QUOTA_EXCEEDED = "quota_exceeded"
    RATE_LIMIT = "rate_limit"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_LENGTH = "context_length"
    UNSUITABLE_REQUEST = "unsuitable_request"
    UNKNOWN_PROVIDER = "unknown_provider"
    MODEL_NOT_FOUND = "model_not_found"
    CONTENT_REFUSED = "content_refused"
    SERVER_ERROR = "server_error"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    INVALID_RESPONSE = "invalid_response"
    CONFIG = "config"
    BROKEN_PLUGIN = "broken_plugin"
    ALL_PROVIDERS_FAILED = "all_providers_failed"
    UNKNOWN = "unknown"


class LLMError(Exception):
    """Something a language model was asked for did not work.

    Keys known when it is made are removed from the message. The error holds no HTTP object, and survives pickle and
    copy, which keep the words of its cause.
    """

    default_type: ClassVar[ErrorType] = ErrorType.UNKNOWN
    default_retryable: ClassVar[bool] = False

    error_type: ErrorType | str
    """What kind of failure; `str` where a provider's author gave a word of their own."""
    retryable: bool
    """Whether the same request to the same provider may succeed later."""
    provider: str
    """Who failed; empty when the failure is nobody's in particular."""
    model: str | None
    """The model that was asked, where one was."""
    status_code: int | None
    """The HTTP status, None where no answer came."""
    retry_after: float | None
    """Seconds to wait before the next try, as the provider said; None when it did not."""
    request_id: str | None
    """The provider's own number of the request, for its support."""
    code: str | None
    """The provider's own word for the error, as in the answer's body (`insufficient_quota`)."""
    partial: LLMResponse | None
    """What had arrived when a stream failed; None where nothing had."""
    attempts: list[Attempt]
    """Whom `LLMManager` has asked in vain; empty where it was not asked."""

    def __init__(
        self,
        message: str = "",
        *,
        error_type: ErrorType | str | None = None,
        retryable: bool | None = None,
        provider: str = "",
        model: str | None = None,
        status_code: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        code: str | None = None,
        partial: LLMResponse | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(redact(str(message)))
        self.error_type = self.default_type if error_type is None else error_type
        self.retryable = self.default_retryable if retryable is None else retryable
        self.provider = provider
        self.model = model
        self.status_code = status_code
        self.retry_after = retry_after
        self.request_id = request_id
        self.code = None if code is None else redact(str(code))
        self.partial = partial
        self.attempts = list(attempts)

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.args[0]) if self.args else ""

    def facts(self) -> dict[str, Any]:
        """The keyword arguments that make this error again."""
        return {name: fact for name, fact in vars(self).items() if not name.startswith("__")}  # notes are not facts

    def with_cause(self, cause: BaseException) -> Self:
        """This error, caused by what `cause` says, without the objects that `cause` drags along (see `Cause`)."""
        self.__cause__ = cause if isinstance(cause, Cause) else Cause.of(cause)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way calls the class with `args` alone and would lose required keywords of subclasses.
        return copyreg.__newobj__, (type(self), *self.args), self.__getstate__()  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles take along. A cause that is not one of ours becomes text: see `Cause`."""
        cause = self.__cause__
        portable = cause if cause is None or isinstance(cause, (LLMError, Cause)) else Cause.of(cause)
        # In this order: setting a cause also suppresses the context. An OSError's `__new__` leaves `args` empty.
        links = {"__cause__": portable, "__suppress_context__": self.__suppress_context__}
        return {**vars(self), "args": self.args, **links}

    def __setstate__(self, state: Mapping[str, Any] | None) -> None:
        for name, fact in (state or {}).items():
            setattr(self, name, fact)


class Cause(Exception):  # noqa: N818  # it is shown as a cause and never raised
    """What lay behind an `LLMError`, as text.

    An HTTP client's exception holds the request with its Authorization header, and its traceback the frames that
    built it. Neither may travel with an error into logs, pickles and error trackers; the words may, without keys.
    """

    @classmethod
    def of(cls, error: BaseException) -> Cause:
        """The chain of `error`, from its first cause to itself, a line each."""
        lines: list[str] = []
        seen: set[int] = set()
        link: BaseException | None = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            kind = type(link)
            line = redact(f"{kind.__module__}.{kind.__qualname__}: {link}")
            if line not in lines:
                lines.append(line)
            link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        return cls("\n".join(reversed(lines)))


class APIKeyError(LLMError):
    """A key is the problem: none was found, or the one that was sent is refused."""


class AuthenticationError(APIKeyError):
    """The provider refused the key: wrong, revoked or expired."""

    default_type = ErrorType.AUTHENTICATION


class APIKeyMissingError(APIKeyError):
    """The provider needs a key and none was found. Nothing was sent."""

    default_type = ErrorType.KEY_MISSING


class PermissionDeniedError(LLMError):
    """The key is good, but it may not do this: another project, region, plan or model."""

    default_type = ErrorType.PERMISSION_DENIED


class QuotaExceededError(LLMError):
    """Out of credit, or of a quota that waiting a little will not refill."""

    default_type = ErrorType.QUOTA_EXCEEDED


class RateLimitError(LLMError):
    """Too many requests or tokens in too short a time."""

    default_type = ErrorType.RATE_LIMIT
    default_retryable = True


class InvalidRequestError(LLMError, ValueError):
    """The request itself is wrong, here or in the provider's judgement; no other provider will do better.

    The exceptions are its subclasses.
    """

    default_type = ErrorType.INVALID_REQUEST


class ContextLengthError(InvalidRequestError):
    """The messages do not fit the model's context; both numbers are None where the provider did not tell."""

    default_type = ErrorType.CONTEXT_LENGTH

    def __init__(
        self, message: str = "", *, prompt_tokens: int | None = None, context_tokens: int | None = None, **facts: Any
    ) -> None:
        super().__init__(message, **facts)
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class UnsuitableRequestError(InvalidRequestError):
    """This provider, or its model, does not take a parameter of the request or a value of it; another one may."""

    default_type = ErrorType.UNSUITABLE_REQUEST


class UnknownProviderError(InvalidRequestError):
    """No provider has that name."""

    default_type = ErrorType.UNKNOWN_PROVIDER


class ModelNotFoundError(LLMError):
    """The provider does not have that model, or not for this key."""

    default_type = ErrorType.MODEL_NOT_FOUND


class ContentRefusedError(LLMError):
    """A content filter refused the prompt or the answer."""

    default_type = ErrorType.CONTENT_REFUSED


class ServerError(LLMError):
    """The provider failed on its side."""

    default_type = ErrorType.SERVER_ERROR
    default_retryable = True


class OverloadedError(ServerError):
    """The provider is too busy for now."""

    default_type = ErrorType.OVERLOADED


class LLMTimeoutError(LLMError, TimeoutError):
    """No answer within the time given for it."""

    default_type = ErrorType.TIMEOUT
    default_retryable = True


class LLMConnectionError(LLMError, ConnectionError):
    """No connection to the provider, or it broke before the answer was complete."""

    default_type = ErrorType.CONNECTION
    default_retryable = True


class InvalidResponseError(LLMError):
    """The provider's answer cannot be read."""

    default_type = ErrorType.INVALID_RESPONSE
    default_retryable = True


class BrokenPluginError(LLMError):
    """A plugin's provider cannot be loaded, or two plugins claim one name."""

    default_type = ErrorType.BROKEN_PLUGIN


class AllProvidersFailedError(LLMError):
    """Every provider that could be asked has failed; `errors` has each one's last, in the order they were asked."""

    default_type = ErrorType.ALL_PROVIDERS_FAILED

    def __init__(self, message: str = "", *, errors: Mapping[str, LLMError] | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.errors: dict[str, LLMError] = dict(errors or {})

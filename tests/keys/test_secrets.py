"""No key comes out, whatever it looks like: in no text, copy, log, error, traceback, settings file or process' words.

Hypothesis makes the keys; an error tracker is played by `traceback.TracebackException` with the locals of each frame.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import logging
import pickle
import string
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, quote_plus

import keyring
import keyring.backends.null
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from langchain_core.load import dumpd, dumps
from pydantic import SecretStr

from homeostasis_llm import (
    APIKeyManager,
    ChatHomeostasis,
    KeyStorageError,
    KeyValidationError,
    LLMError,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
)
from homeostasis_llm.cli import homeostasis
from homeostasis_llm.config import ConfigError, config_path, load_settings
from homeostasis_llm.keys.lookup import key_reports, key_status
from tests.loopback import Loopback, Scripted

# Letters that stand in no text of ours, so that a short key cannot be found by accident.
_RARE = "QZXJ"
_BASE64 = string.ascii_letters + string.digits + "+/"

_sendable = st.one_of(
    st.text(_RARE + "~^", min_size=5, max_size=8),
    st.text(string.ascii_letters + string.digits + "-_", min_size=40, max_size=2000),
    # Stars alone are what stands for a key.
    st.text(_RARE + r".*+?[](){}|\^$", min_size=8, max_size=40).filter(lambda key: key.strip("*") != ""),
    st.lists(st.sampled_from(["QZ", "XJ", "%2F", "%3d", "%25", "%", "+"]), min_size=5, max_size=12).map("".join),
    st.tuples(st.text(_BASE64, min_size=24, max_size=120), st.sampled_from(["", "=", "=="])).map("".join),
    st.text(string.ascii_letters + string.digits, min_size=30, max_size=60).map(lambda rest: f"sk-proj-{rest}"),
)
"""Keys that an HTTP header can carry."""

_any = st.one_of(
    _sendable,
    st.text(_RARE + "éß漢字🔑\u200b“”", min_size=6, max_size=40),
    st.text(_RARE + " \n\t\"'<>&", min_size=8, max_size=40),
).filter(lambda key: len(key.strip()) >= 5 and key.strip(_RARE + " \n\t") != "")

_quick = settings(
    max_examples=30,
    deadline=None,
    database=None,
    # A smaller key is no better example, and looking for one takes long.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_over_http = settings(_quick, max_examples=12)

HELLO = LLMRequest([LLMMessage("user", "hello")])


def assert_absent(key: str, *texts: str) -> None:
    """The key is in none of them, in any spelling that somebody could take back to it."""
    key = key.strip()
    raw = key.encode()
    spellings = {
        *(key, repr(key)[1:-1], repr(raw)[2:-1]),
        *(json.dumps(key)[1:-1], json.dumps(key, ensure_ascii=False)[1:-1]),
        *(quote(key), quote(key, safe=""), quote_plus(key)),
        *(base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")),
    }
    for text in texts:
        found = [spelling for spelling in spellings if spelling in text]
        assert not found, f"{found[0]!r} is in {text[:2000]!r}"


def shown(thing: object) -> list[str]:
    """Every way to make a text of something."""
    return [repr(thing), str(thing), format(thing), f"{thing!r:>200}", "%s %r" % (thing, thing)]  # noqa: UP031


def pickled(thing: object) -> str:
    """What a pickle of it holds; nothing where there can be none."""
    with suppress(TypeError):
        return pickle.dumps(thing).decode("latin-1")
    return ""


def told(error: BaseException) -> list[str]:
    """What an error tracker takes down: words, arguments, copies, and the locals of every frame but this module's."""
    texts = [*shown(error), repr(error.args), repr(getattr(error, "__notes__", None)), pickled(error)]
    texts += [repr(vars(error)), *shown(copy.copy(error))]
    link: traceback.TracebackException | None = traceback.TracebackException.from_exception(error, capture_locals=True)
    while link is not None:
        texts.append("".join(link.format_exception_only()))
        for frame in link.stack:
            if frame.filename != __file__:
                texts += [
                    f"{frame.filename}:{frame.name}: {name} = {held}" for name, held in (frame.locals or {}).items()
                ]
        link = link.__cause__ or link.__context__
    return texts


@contextmanager
def listening() -> Iterator[list[str]]:
    """Everything that is logged at any level, warned of, or given to a process, while it lasts."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(self.format(record))
            heard.append(repr(vars(record)))

    ear, loggers = Ear(), [logging.getLogger(name) for name in (None, "LiteLLM", "httpx", "httpcore", "openai")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(ear)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    _processes.clear()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield heard
        heard += [str(warning.message) for warning in warned]
        heard += _processes
    finally:
        loggers[0].removeHandler(ear)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_processes: list[str] = []


def _note_processes(event: str, args: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        _processes.append(repr(args))


sys.addaudithook(_note_processes)


@pytest.fixture(autouse=True)
def _quiet_terminal(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------------- values


@_quick
@given(key=_sendable)
def test_no_key_is_in_what_a_provider_and_its_chat_model_show(key: str) -> None:
    with listening() as heard:
        provider = ProviderFactory.create_provider("openai", key, base_url="http://127.0.0.1:9/v1")
        chat = ChatHomeostasis(provider=provider)
        named = ChatHomeostasis(model="openai:gpt-x", api_key=SecretStr(key), base_url="http://127.0.0.1:9/v1")
        texts = []
        for thing in (provider, chat, named):
            texts += [*shown(thing), pickled(thing)]
        for model in (chat, named):
            texts += [str(model.model_dump()), dumps(model), str(dumpd(model)), str(model._identifying_params)]
            with suppress(Exception):  # a provider cannot be JSON, which is not the point
                texts.append(model.model_dump_json())
    assert provider.api_key == key
    assert_absent(key, *texts, *heard)


@_quick
@given(key=_any)
def test_no_key_is_in_what_is_told_of_a_stored_one(key: str) -> None:
    manager = APIKeyManager()
    with listening() as heard:
        manager.set_key("openai", key, validate=False, label="work")
        found = manager.find_key("openai")
        assert found is not None
        assert found.secret.get_secret_value() == key.strip()
        told_of_it = [
            *(manager, found, manager.find_keys("openai"), key_status(["openai"]), key_reports(["openai"])),
            *(manager.list_keys(), manager.get_provider_config_summary(), load_settings()),
        ]
        texts = [text for thing in told_of_it for text in (*shown(thing), pickled(thing))]
        texts += [str(load_settings().model_dump()), load_settings().model_dump_json()]
        masked = manager.get_masked_key("openai")
        texts.append(config_path().read_text())
    keyring.delete_password("homeostasis-llm", "openai#work")
    assert_absent(key, *texts, *heard)
    assert masked is not None
    # A key may itself end in asterisks.
    assert masked.lstrip("*") in {"", key.strip()[-4:].lstrip("*")}


@_quick
@given(key=st.text(string.ascii_letters + string.digits, min_size=40, max_size=60))
def test_no_key_that_somebody_wrote_into_the_settings_is_repeated_by_their_error(key: str) -> None:
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'[providers.openai]\napi_key = "{key}"\n')

    with listening() as heard, pytest.raises(ConfigError) as caught:
        load_settings(path)

    assert_absent(key, *told(caught.value), *heard)


# ----------------------------------------------------------------------------------------------- keys that fail


def echoes(server: Loopback, key: str, status: int = 401) -> None:
    """Has the server refuse, and repeat the key wherever an answer has room for it."""
    said = f"Incorrect API key provided: {key}. Bearer {key}"
    server.always(
        status=status,
        json={"error": {"message": said, "type": "invalid_request_error", "code": "invalid_api_key", "param": key}},
        headers={"x-echo": key, "www-authenticate": f'Bearer realm="{key}"'},
    )


Call = Callable[[LLMProviderInterface], object]

CALLS: list[Any] = [
    pytest.param(lambda provider: provider.get_available_models(), id="models"),
    pytest.param(lambda provider: provider.complete(HELLO), id="complete"),
    pytest.param(lambda provider: list(provider.complete_stream(HELLO)), id="stream"),
    pytest.param(lambda provider: asyncio.run(provider.acomplete(HELLO)), id="async"),
    pytest.param(lambda provider: asyncio.run(_streamed(provider)), id="async stream"),
]


async def _streamed(provider: LLMProviderInterface) -> object:
    return [chunk async for chunk in provider.acomplete_stream(HELLO)]


@pytest.mark.parametrize("name", ["openai", "anthropic", "mistral"])
@pytest.mark.parametrize("call", CALLS)
@_over_http
@given(key=_sendable)
def test_no_key_is_in_the_error_of_a_call_that_a_provider_refuses(
    name: str, call: Call, key: str, loopback: Loopback
) -> None:
    error, heard = _refused(name, call, key, loopback)

    assert_absent(key, *told(error), *heard)


@pytest.mark.parametrize("name", ["openai", "anthropic", "mistral"])
@pytest.mark.parametrize("call", [param.values[0] for param in CALLS], ids=[param.id for param in CALLS])
@_over_http
@given(key=_sendable)
def test_no_key_is_in_the_words_and_the_logs_of_a_call_that_a_provider_refuses(
    name: str, call: Call, key: str, loopback: Loopback
) -> None:
    error, heard = _refused(name, call, key, loopback)

    # Proof that the ear was open: what httpcore logs of each answer, and asyncio of each loop (aiohttp logs no calls).
    assert any(text.startswith(("receive_response_headers", "Using selector")) for text in heard)
    words = [*shown(error), repr(error.args), repr(vars(error)), pickled(error), *map(str, _chain(error))]
    assert_absent(key, *words, *heard)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda key: {"body": key}, id="no JSON"),
        pytest.param(lambda key: {"json": {"error": {"message": key}}}, id="an error with a good status"),
        pytest.param(lambda key: {"chunks": [_event(key), _event(key)], "cut": True}, id="a stream that breaks"),
        pytest.param(
            lambda key: {"chunks": [_event(key), f"data: {json.dumps({'error': {'message': key}})}\n\n"]},
            id="an error amid a stream",
        ),
    ],
)
@_over_http
@given(key=_sendable)
def test_no_key_is_in_the_error_of_an_answer_that_cannot_be_used(
    answer: Callable[[str], Scripted], key: str, loopback: Loopback
) -> None:
    scripted = answer(key)
    loopback.always(**scripted)
    with listening() as heard, ProviderFactory.create_provider("openai", key, base_url=loopback.url) as provider:
        try:
            _ = list(provider.complete_stream(HELLO)) if "chunks" in scripted else provider.complete(HELLO)
        except LLMError as error:
            failed = error
    failed.partial = None  # what the model said before is the user's to see
    assert_absent(key, *told(failed), *heard)


def _event(key: str) -> str:
    delta = {"delta": {"content": key}, "index": 0}
    return f"data: {json.dumps({'id': key, 'object': 'chat.completion.chunk', 'choices': [delta]})}\n\n"


def _refused(name: str, call: Call, key: str, server: Loopback) -> tuple[LLMError, list[str]]:
    echoes(server, key)
    with listening() as heard:
        provider = ProviderFactory.create_provider(name, key, base_url=f"{server.url}/v1")
        try:
            call(provider)
        except LLMError as error:
            refused = error
        finally:
            provider.close()
    assert server.requests
    server.requests.clear()
    return refused, heard


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@_quick
@given(key=_any)
def test_no_key_is_in_the_error_of_a_provider_that_cannot_be_made(key: str) -> None:
    class Fussy(LLMProviderInterface):
        name = "fussy"
        default_model = "x"

        def complete(self, request: LLMRequest) -> LLMResponse:
            raise NotImplementedError

        def validate_key(self, api_key: str) -> bool:
            raise NotImplementedError

        def get_available_models(self) -> list[str]:
            raise NotImplementedError

    ProviderFactory.register("fussy", Fussy)
    made: list[Callable[[], object]] = [
        lambda: ProviderFactory.create_provider("fussy", f" {key}"),
        lambda: ProviderFactory.create_provider("openai", f"{key}\n{key}"),
        lambda: ProviderFactory.create_provider("openai", key, base_ulr="http://127.0.0.1"),
        lambda: ProviderFactory.create_provider("opnai", key),
        lambda: ProviderFactory.create_provider("fussy", key, no_such_option=1),
    ]
    try:
        for make in made:
            with listening() as heard, pytest.raises(LLMError) as caught:
                make()
            assert_absent(key, *told(caught.value), *heard)
    finally:
        ProviderFactory.unregister("fussy")


def test_listening_to_litellm_from_the_start_prints_nothing(child_environment: dict[str, str]) -> None:
    """It has a handler of its own, and much to say while it is imported."""
    code = """
import logging
for name in ("LiteLLM", None):
    logging.getLogger(name).setLevel(logging.DEBUG)
from homeostasis_llm.litellm_bridge.runtime import load_litellm
load_litellm()
assert logging.getLogger("LiteLLM").isEnabledFor(logging.DEBUG)
"""
    run = [sys.executable, "-c", code]

    child = subprocess.run(run, env=child_environment, capture_output=True, text=True, check=True)

    assert (child.stdout, child.stderr) == ("", "")


@_over_http
@given(key=_any)
def test_no_key_is_in_the_error_of_one_that_is_not_stored(key: str, loopback: Loopback) -> None:
    manager = APIKeyManager()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
        with suppress(ValueError, UnicodeError):  # what a header cannot carry is refused before it is sent
            echoes(loopback, key if key.isascii() and key.isprintable() else "x")
        null: Any = keyring.backends.null.Keyring  # it has no annotations
        patch.setattr(keyring.core, "_keyring_backend", null())
        attempts: list[tuple[type[LLMError], Callable[[], object]]] = [
            (KeyValidationError, lambda: manager.set_key("openai", key)),
            (KeyValidationError, lambda: manager.validate_key("openai", key)),
            (KeyStorageError, lambda: manager.set_key("openai", key, validate=False)),
            (KeyValidationError, lambda: manager.set_key("opnai", key)),
            (KeyValidationError, lambda: manager.set_key("openai", key, validate=False, label="not a label")),
        ]
        for kind, attempt in attempts:
            with listening() as heard, pytest.raises(kind) as caught:
                attempt()
            assert_absent(key, *told(caught.value), *heard)
        with listening() as heard:
            check = manager.check_key("openai", key)
    assert_absent(key, *shown(check), pickled(check), *heard)


# ----------------------------------------------------------------------------------------------------- the terminal


@_over_http
@given(key=_sendable)
def test_no_key_is_in_what_a_command_prints(key: str, loopback: Loopback) -> None:
    echoes(loopback, key)
    commands = [
        ("set-key", "openai"),
        ("set-key", "openai", "--no-validate", "--label", "work"),
        ("set-key", "openai", "--key", key),
        ("set-key", "opnai", "--key", key),
        ("list-keys", "--show-masked", "--verbose"),
        ("list-keys", "--json"),
        ("validate-key", "openai", "--verbose"),
        ("validate-key", "openai", "--json"),
        ("test-providers", "-p", "openai"),
        ("provider-status", "--verbose"),
        ("config", "show"),
        ("remove-key", "openai", "--label", "work"),
    ]
    for command in commands:
        with pytest.MonkeyPatch.context() as patch, listening() as heard:
            patch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")
            if command[0] != "set-key":
                patch.setenv("OPENAI_API_KEY", key)
            done = CliRunner().invoke(homeostasis, ["llm", *command], input=f"{key}\n")
        assert done.output
        assert_absent(key, done.output, *heard)

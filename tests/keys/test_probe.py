"""How a key is checked: what is asked of whom, what may be in the way, and that it costs no more than it must."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from homeostasis_llm import (
    AuthenticationError,
    BrokenPluginError,
    InvalidRequestError,
    LLMConnectionError,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    UnknownProviderError,
)
from homeostasis_llm.catalog import ProviderFacts, all_facts
from homeostasis_llm.endpoints import key_endpoint
from homeostasis_llm.keys import questions
from homeostasis_llm.keys.check import KeyCheck, KeyOutcome
from homeostasis_llm.keys.obstacles import Obstacle, obstacle_of
from homeostasis_llm.keys.probe import acheck_key, check_key
from homeostasis_llm.plugins import GROUP
from tests.keys.internet import hangs_up, joined_to, page, proxy, resets, says, says_nothing, server
from tests.loopback import Loopback

KEY = "k3y-of-nobody"

LIST = {"object": "list", "data": [{"id": "some-model", "object": "model"}]}
NO_KEY: dict[str, Any] = {"status": 401, "json": {"error": {"message": "No key."}}}

Check = Callable[..., KeyCheck]


def _async(*args: Any, **options: Any) -> KeyCheck:
    return asyncio.run(acheck_key(*args, **options))


both = pytest.mark.parametrize("check", [check_key, _async], ids=["sync", "async"])


# ------------------------------------------------------------------------------------------------ at home


class World:
    """Every provider's own address, reached through a proxy, and answered by one loopback server."""

    def __init__(self, loopback: Loopback, proxied: list[str]) -> None:
        self.loopback = loopback
        self.proxied = proxied
        """The hosts that the proxy was asked for."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("cryptography", reason="it makes the certificates, and comes with Linux' keyring")
    from tests.keys.certificates import Authority

    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def world(authority: Any, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    from tests.keys.certificates import over_tls

    proxied: list[str] = []

    def reach(connection: socket.socket, host: str) -> None:
        proxied.append(host)
        over_tls(authority.context(host), joined_to(loopback.url))(connection)

    with server(proxy(reach)) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        yield World(loopback, proxied)


AT_HOME = [facts for facts in all_facts().values() if not facts.local and facts.base_url and key_endpoint(facts)]


@pytest.mark.parametrize("facts", AT_HOME, ids=lambda facts: facts.name)
def test_a_provider_is_asked_once_at_its_own_address_and_shown_the_key_as_it_wants_it(
    facts: ProviderFacts, world: World
) -> None:
    world.loopback.always(json=LIST)

    found = check_key(facts.name, KEY)

    (request,) = world.loopback.requests
    kind, _, header = facts.auth.partition(":")
    endpoint = key_endpoint(facts)
    assert endpoint is not None
    assert found.outcome == KeyOutcome.VERIFIED, found
    assert request.method == "GET"
    assert f"https://{request.headers['host']}{request.path}" == endpoint.url.partition("?")[0]
    assert [request.headers["host"]] == world.proxied
    assert request.headers[header or "authorization"] == (f"Bearer {KEY}" if kind == "bearer" else KEY)
    assert KEY not in str(request.query)
    assert not found.charged


def test_anthropic_is_told_the_version_without_which_it_refuses(world: World) -> None:
    world.loopback.always(json=LIST)

    check_key("anthropic", KEY)

    assert world.loopback.requests[0].headers["anthropic-version"] == "2023-06-01"


def test_a_provider_with_an_open_list_is_asked_where_it_tells_about_the_key(world: World) -> None:
    world.loopback.always(json={"data": {"limit_remaining": 1.5}})

    found = check_key("openrouter", KEY)

    assert found.asked == "GET https://openrouter.ai/api/v1/key"
    assert found.outcome == KeyOutcome.VERIFIED


async def test_many_are_checked_at_once(world: World) -> None:
    world.loopback.always(json=LIST)

    found = await asyncio.gather(*(acheck_key(facts.name, KEY) for facts in AT_HOME))

    assert {check.outcome for check in found} == {KeyOutcome.VERIFIED}
    assert [check.provider for check in found] == [facts.name for facts in AT_HOME]
    assert len(world.loopback.requests) == len(AT_HOME)


def test_a_key_may_come_as_a_secret(world: World) -> None:
    world.loopback.always(json=LIST)

    check_key("openai", SecretStr(KEY))

    assert world.loopback.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_that_is_no_text_is_refused() -> None:
    wrong: Any = 7

    with pytest.raises(InvalidRequestError, match="api_key: must be a str, got int"):
        check_key("openai", wrong)


def test_a_name_that_nobody_has_is_an_error_and_no_outcome() -> None:
    with pytest.raises(UnknownProviderError, match="did you mean 'openai'"):
        check_key("opnai", KEY)


# ------------------------------------------------------------------------------------------------ elsewhere


@both
def test_of_another_server_it_is_found_out_whether_it_asks_for_a_key_at_all(check: Check, loopback: Loopback) -> None:
    loopback.reply(json=LIST)
    loopback.always(**NO_KEY)

    found = check("openai", KEY, base_url=f"{loopback.url}/v1")

    assert found.outcome == KeyOutcome.VERIFIED
    assert [request.headers["authorization"] for request in loopback.requests] == [f"Bearer {KEY}", None]
    assert not found.charged


@both
def test_a_list_that_anybody_gets_proves_nothing_so_one_token_is_asked_for(check: Check, loopback: Loopback) -> None:
    loopback.reply(json=LIST)
    loopback.reply(json=LIST)
    loopback.always(status=401, json={"error": {"message": "Wrong.", "code": "invalid_api_key"}})

    found = check("openai", KEY, base_url=f"{loopback.url}/v1")

    assert found.outcome == KeyOutcome.REJECTED
    assert found.said == "Wrong."
    assert found.charged
    assert found.asked == "one token of some-model"  # which is the one that this server has
    *_, asked = loopback.requests
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.json["model"] == "some-model"
    assert asked.json.get("max_tokens", asked.json.get("max_completion_tokens")) == 1


def test_a_gateway_that_does_not_tell_about_keys_is_asked_for_a_token(loopback: Loopback) -> None:
    loopback.reply(status=404, json={"detail": "Not Found"})
    loopback.reply(json={"data": [{"id": "openai/gpt-oss-120b"}]})
    loopback.always(json=_answer())

    found = check_key("openrouter", KEY, base_url=f"{loopback.url}/v1")

    assert found.outcome == KeyOutcome.VERIFIED
    assert [request.path for request in loopback.requests] == ["/v1/key", "/v1/models", "/v1/chat/completions"]


@both
def test_a_gateway_may_want_no_key(check: Check, loopback: Loopback) -> None:
    loopback.always(json=LIST)

    found = check("openai", "", base_url=loopback.url)

    assert found.outcome == KeyOutcome.VERIFIED
    assert found.reason.endswith("answers, and asks for no key.")
    assert loopback.requests[0].headers["authorization"] is None


def test_the_environment_may_name_the_base_url(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_GROQ_BASE_URL", f"{loopback.url}/groq")
    loopback.always(**NO_KEY)

    found = check_key("groq", KEY)

    assert found.asked == f"GET {loopback.url}/groq/models"


def test_headers_are_sent_along(loopback: Loopback) -> None:
    loopback.always(**NO_KEY)

    check_key("openai", KEY, base_url=loopback.url, headers={"x-team": "blue"})

    assert loopback.requests[0].headers["x-team"] == "blue"


@pytest.mark.parametrize("value", ["a\nb", "ä", "a\x00"])
def test_a_header_that_cannot_be_sent_is_named_without_its_value(value: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_key("openai", KEY, headers={"x-secret": value})

    assert str(caught.value) == "headers: the value of 'x-secret' cannot be sent"


@both
def test_a_redirect_is_not_followed_with_the_key(check: Check, loopback: Loopback) -> None:
    with Loopback() as other:
        loopback.always(status=307, headers={"location": f"{other.url}/models"})

        found = check("openai", KEY, base_url=loopback.url)

        assert found.outcome == KeyOutcome.COULD_NOT_TELL
        assert "http://127.0.0.1" in found.reason
        assert other.requests == []


# ------------------------------------------------------------------------------------------------ on one's machine


@pytest.mark.parametrize("name", ["ollama", "lm_studio", "hosted_vllm", "llamafile"])
def test_a_server_of_ones_own_needs_no_key(name: str, loopback: Loopback) -> None:
    loopback.always(json=LIST)

    found = check_key(name, "", base_url=loopback.url)

    assert found.outcome == KeyOutcome.VERIFIED
    assert "asks for no key" in found.reason
    assert len(loopback.requests) == 1


def test_a_server_of_ones_own_that_does_not_run_is_to_be_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening, so that nobody else can take it

        found = check_key("ollama", "", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert found.cause == Obstacle.REFUSED
    assert found.advice == "Start Ollama, or name its address as the base URL."


def test_a_key_for_a_server_of_ones_own_is_tried_with_a_model_that_it_has(loopback: Loopback) -> None:
    loopback.reply(json=LIST)
    loopback.reply(json=LIST)
    loopback.always(json=_answer())

    found = check_key("lm_studio", KEY, base_url=f"{loopback.url}/v1")

    assert found.outcome == KeyOutcome.VERIFIED
    assert found.asked == "one token of some-model"


# ------------------------------------------------------------------------------------------------ one token


def _answer() -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello"}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "some-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _wrong(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


@both
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"json": _answer()}, KeyOutcome.VERIFIED),
        ({"status": 401, "json": _wrong("No.", code="invalid_api_key")}, KeyOutcome.REJECTED),
        ({"status": 403, "json": _wrong("No.")}, KeyOutcome.NO_PERMISSION),
        ({"status": 404, "json": _wrong("No such model.", code="model_not_found")}, KeyOutcome.NO_PERMISSION),
        ({"status": 404, "json": {"detail": "Not Found"}}, KeyOutcome.COULD_NOT_TELL),
        ({"status": 429, "json": _wrong("No.", code="insufficient_quota")}, KeyOutcome.NO_CREDIT),
        ({"status": 429, "json": _wrong("Slow.")}, KeyOutcome.RATE_LIMITED),
        ({"status": 400, "json": _wrong("Flagged.", code="content_filter")}, KeyOutcome.VERIFIED),
        ({"status": 400, "json": _wrong("Sixteen at least.")}, KeyOutcome.COULD_NOT_TELL),
        ({"status": 500, "json": _wrong("Oops.")}, KeyOutcome.PROVIDER_DOWN),
        ({"drop": True}, KeyOutcome.UNREACHABLE),
        ({"json": _answer(), "delay": 60}, KeyOutcome.UNREACHABLE),
    ],
    ids=lambda found: str(found)[:60],
)
def test_a_deep_check_tells_of_credit_and_models_too(
    answer: Any, outcome: KeyOutcome, check: Check, loopback: Loopback
) -> None:
    loopback.always(**answer)

    found = check("openai", KEY, base_url=loopback.url, deep=True, model="gpt-4.1-mini", timeout=1)

    assert found.outcome == outcome
    assert found.charged
    assert found.asked.startswith("one token of gpt-4.1-mini")
    assert loopback.requests[0].json["model"] == "gpt-4.1-mini"
    assert KEY not in repr(found)


@both
def test_a_deep_check_says_why_no_connection_came_about(check: Check) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

        found = check("openai", KEY, base_url=url, deep=True, model="gpt-4.1-mini")

    assert found.cause == Obstacle.REFUSED
    assert found.charged


def _at(loopback: Loopback, name: str) -> ProviderFacts:
    """The row of that name, as if `loopback` were the provider's own address."""
    return replace(all_facts()[name], base_url=loopback.url)


@both
def test_where_a_token_is_refused_for_another_reason_the_list_still_tells_of_the_key(
    check: Check, loopback: Loopback
) -> None:
    loopback.reply(status=400, json=_wrong("max_tokens must be 16 or more."))
    loopback.always(json=LIST)

    found = check(_at(loopback, "groq"), KEY, deep=True)

    assert found.outcome == KeyOutcome.VERIFIED
    assert found.said == "max_tokens must be 16 or more."
    assert found.charged
    assert found.asked == f"one token of {all_facts()['groq'].default_model}, then GET {loopback.url}/models"


@both
def test_a_provider_whose_list_is_open_is_asked_for_a_token_at_once_and_that_is_said(
    check: Check, loopback: Loopback
) -> None:
    loopback.always(json=_answer())

    found = check(_at(loopback, "sambanova"), KEY)

    (request,) = loopback.requests
    assert request.method == "POST"
    assert found.charged
    assert found.asked == f"one token of {all_facts()['sambanova'].default_model}"
    assert found.outcome == KeyOutcome.VERIFIED


@both
def test_without_a_model_to_ask_the_list_of_models_has_the_last_word(check: Check, loopback: Loopback) -> None:
    loopback.always(**NO_KEY)

    found = check("lm_studio", KEY, base_url=loopback.url, deep=True)

    assert found.outcome == KeyOutcome.REJECTED
    assert not found.charged


@both
@pytest.mark.parametrize(("name", "key"), [("vertex_ai", ""), ("vertex_ai", KEY), ("bedrock", "")])
def test_credentials_that_sign_are_not_tried_unasked(name: str, key: str, check: Check) -> None:
    found = check(name, key)

    assert found.outcome == KeyOutcome.COULD_NOT_TELL
    assert found.seconds is None or found.asked == ""
    assert "--deep" in found.advice


# ------------------------------------------------------------------------------------------------ somebody else's


class Acme(LLMProviderInterface):
    """A provider as its author may write it: the five members and no more."""

    name = "acme"
    default_model = "acme-1"
    says: Any = True
    """What `validate_key` returns or raises."""

    def complete(self, request: LLMRequest) -> LLMResponse:
        return LLMResponse(content="Hi", provider=self.name, model=request.model)

    def validate_key(self, api_key: str) -> bool:
        assert api_key == KEY
        if isinstance(self.says, BaseException):
            raise self.says
        verdict: bool = self.says
        return verdict

    def get_available_models(self) -> list[str]:
        return [self.default_model]


@pytest.fixture
def acme() -> Iterator[type[Acme]]:
    made = type("Made", (Acme,), {})
    ProviderFactory.register("acme", made)
    yield made
    ProviderFactory.unregister("acme")


@both
@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (True, KeyOutcome.VERIFIED),
        (False, KeyOutcome.REJECTED),
        (AuthenticationError("no such key"), KeyOutcome.REJECTED),
        (LLMConnectionError("no way"), KeyOutcome.UNREACHABLE),
        (ConnectionRefusedError("no way"), KeyOutcome.UNREACHABLE),
    ],
    ids=repr,
)
def test_somebody_elses_provider_judges_itself(
    verdict: Any, outcome: KeyOutcome, check: Check, acme: type[Acme]
) -> None:
    acme.says = verdict

    found = check("acme", KEY)

    assert found.outcome == outcome
    assert found.provider == "acme"
    assert found.asked == "Made.validate_key"
    if isinstance(verdict, ConnectionRefusedError):
        assert found.cause == Obstacle.REFUSED


@both
def test_a_provider_may_make_the_check_itself(check: Check, acme: type[Acme], monkeypatch: pytest.MonkeyPatch) -> None:
    own = KeyCheck(provider="acme", outcome=KeyOutcome.EXPIRED, reason="It was yesterday's.")
    monkeypatch.setattr(acme, "check_key", lambda _self, key: own if key == KEY else None, raising=False)

    assert check("acme", KEY) is own


@both
def test_an_object_is_asked_itself_and_not_closed(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    provider = Acme("another-key")
    monkeypatch.setattr(Acme, "close", lambda self: closed.append(self.name))

    assert check(provider, KEY).outcome == KeyOutcome.VERIFIED
    assert closed == []


@both
def test_a_deep_check_of_somebody_elses_provider_asks_it_for_a_token(check: Check, acme: type[Acme]) -> None:
    acme.says = AssertionError("it was not to be asked")

    found = check("acme", KEY, deep=True)

    assert found.outcome == KeyOutcome.VERIFIED
    assert found.charged
    assert found.asked == "one token of acme-1"


@both
def test_somebody_elses_code_may_hang_without_harm(
    check: Check, acme: type[Acme], loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.always(delay=60)

    def hang(_: object, __: str) -> bool:
        with socket.create_connection(("127.0.0.1", int(loopback.url.rpartition(":")[2]))) as waiting:
            return waiting.recv(1) != b""

    monkeypatch.setattr(acme, "validate_key", hang)

    found = check("acme", KEY, timeout=0.1)

    assert found.outcome == KeyOutcome.UNREACHABLE
    assert found.cause == Obstacle.TIMEOUT


@both
def test_a_mistake_in_somebody_elses_code_is_not_hidden(check: Check, acme: type[Acme]) -> None:
    acme.says = ZeroDivisionError("a mistake")

    with pytest.raises(ZeroDivisionError):
        check("acme", KEY)


def test_the_place_of_a_row_may_be_taken_and_then_its_taker_is_asked(acme: type[Acme]) -> None:
    ProviderFactory.register("groq", acme, replace=True)
    try:
        assert check_key("groq", KEY).asked == "Made.validate_key"
    finally:
        ProviderFactory.unregister("groq")


def test_a_broken_plugin_is_an_error_and_no_outcome(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text(f"[{GROUP}]\nbroken = nowhere:Nobody\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(BrokenPluginError):
        check_key("broken", KEY)


def test_plugins_are_found_by_the_name_of_their_group() -> None:
    assert questions._PLUGINS == GROUP


# ------------------------------------------------------------------------------------------------ in the way


def _unreachable(check: Check, url: str, **options: Any) -> KeyCheck:
    found = check("openai", KEY, base_url=url, **options)
    assert found.outcome == KeyOutcome.UNREACHABLE, found
    assert found.ok is None
    assert found.said == ""
    assert found.reason.endswith(".")
    assert found.advice
    assert KEY not in repr(found)
    return found


@both
def test_a_name_that_does_not_resolve(check: Check) -> None:
    # An interface that is not there: the resolver says so without asking the network.
    found = _unreachable(check, "http://[::1%25nowhere]:80/v1")

    assert found.cause == Obstacle.DNS


@both
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])  # the second may stand for several addresses
def test_a_port_that_nobody_listens_on(name: str, check: Check) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"{name}:{taken.getsockname()[1]}"

        found = _unreachable(check, f"http://{host}/v1")

    assert found.cause == Obstacle.REFUSED
    assert found.reason == f"Nothing listens at {host}."


def test_of_tries_at_several_addresses_the_one_that_came_farthest_counts() -> None:
    tries = ExceptionGroup("", [OSError(errno.ENETUNREACH, "no IPv6 here"), ConnectionRefusedError()])
    error = OSError("all tries failed")
    error.__cause__ = tries

    assert obstacle_of(error) == (Obstacle.REFUSED, "")


@both
def test_a_certificate_that_nobody_vouches_for(check: Check, authority: Any) -> None:
    from tests.keys.certificates import over_tls

    with server(over_tls(authority.context("127.0.0.1"), says_nothing)) as address:
        found = _unreachable(check, f"https://{address}/v1")

    assert found.cause == Obstacle.TLS
    assert "certificate" in found.reason
    assert "SSL_CERT_FILE" in found.advice


@both
def test_a_certificate_of_another_host(check: Check, authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.keys.certificates import over_tls

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with server(over_tls(authority.context("other.example"), says_nothing)) as address:
        found = _unreachable(check, f"https://{address}/v1")

    assert found.cause == Obstacle.TLS
    assert "mismatch" in found.reason


@both
def test_a_certificate_that_the_environment_vouches_for(
    check: Check, authority: Any, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.keys.certificates import over_tls

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    loopback.reply(json=LIST)
    loopback.always(**NO_KEY)
    with server(over_tls(authority.context("127.0.0.1"), joined_to(loopback.url))) as address:
        found = check("openai", KEY, base_url=f"https://{address}/v1")

    assert found.outcome == KeyOutcome.VERIFIED


@both
def test_a_port_that_speaks_no_tls(check: Check, loopback: Loopback) -> None:
    found = _unreachable(check, loopback.url.replace("http://", "https://"))

    assert found.cause == Obstacle.TLS
    assert "does not speak TLS" in found.reason
    assert "http://" in found.advice


@both
def test_a_certificate_file_that_is_not_there(check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))

    found = _unreachable(check, "https://127.0.0.1:9")

    assert found.cause == Obstacle.TLS
    assert "ssl_cert_file cannot be used" in found.reason.lower()
    assert found.seconds == 0


# The waits below are real: what is tested is that a socket's wait ends. The limits are a fraction of a second, the
# server's silence lasts far longer, and nobody measures the time in between.


@both
def test_a_server_that_accepts_and_never_answers(check: Check) -> None:
    with server(says_nothing) as address:
        found = _unreachable(check, f"http://{address}", timeout=0.2)

    assert found.cause == Obstacle.TIMEOUT
    assert found.reason == f"{address} gave no answer within 0.2 s."


@both
def test_an_answer_that_drips_for_ever(check: Check, loopback: Loopback) -> None:
    loopback.always(chunks=[part for _ in range(2000) for part in ("[", 0.02)])

    assert _unreachable(check, loopback.url, timeout=0.2).cause == Obstacle.TIMEOUT


@both
def test_a_server_that_resets_the_connection(check: Check) -> None:
    with server(resets) as address:
        assert _unreachable(check, f"http://{address}").cause == Obstacle.RESET


@both
def test_a_server_that_hangs_up(check: Check, loopback: Loopback) -> None:
    loopback.always(drop=True)

    assert _unreachable(check, loopback.url).cause == Obstacle.RESET


@both
def test_a_server_that_hangs_up_while_encryption_is_agreed_on(check: Check) -> None:
    with server(hangs_up) as address:
        assert _unreachable(check, f"https://{address}").cause == Obstacle.RESET


@both
def test_an_answer_that_breaks_off(check: Check, loopback: Loopback) -> None:
    loopback.always(json=LIST, cut=True)

    assert _unreachable(check, loopback.url).cause == Obstacle.RESET


@both
@pytest.mark.parametrize(
    "answer", [b"220 mail.example ESMTP\r\n\r\n", b"\x15\x03\x01\x00\x02\x02F"], ids=["mail", "TLS"]
)
def test_a_server_that_speaks_something_else(answer: bytes, check: Check) -> None:
    with server(says(answer)) as address:
        assert _unreachable(check, f"http://{address}").cause == Obstacle.PROTOCOL


@both
@pytest.mark.parametrize(
    "url", ["example.org/v1", "ftp://example.org", "https://", "http://127.0.0.1:x", "http://[::1"]
)
def test_a_base_url_that_is_none(url: str, check: Check) -> None:
    assert _unreachable(check, url).cause == Obstacle.ADDRESS


# ------------------------------------------------------------------------------------------------ proxies

FAR = "https://api.far.example/v1"
"""Never looked up: a proxy is to do that."""


@both
def test_a_proxy_that_nobody_runs(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{taken.getsockname()[1]}")

        found = _unreachable(check, FAR)

    assert found.cause == Obstacle.PROXY
    assert "nothing listens there" in found.reason
    assert "HTTPS_PROXY" in found.advice


@both
@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_answers_with_a_page_of_its_own(
    status: str, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(says(page(status, "Blocked by the company"))) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")

        found = _unreachable(check, FAR)

    assert found.cause == Obstacle.PROXY
    assert f"it answered {status}" in found.reason


@both
@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required", "502 Bad Gateway"])
def test_a_proxy_that_answers_in_the_place_of_a_server_without_tls(
    status: str, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(says(page(status, "Blocked by the company"))) as address:
        monkeypatch.setenv("HTTP_PROXY", f"http://{address}")

        found = _unreachable(check, FAR.replace("https", "http"))

    assert found.cause == Obstacle.PROXY
    assert "Blocked by the company" in found.reason
    assert found.status == int(status[:3])


@both
def test_a_proxy_that_never_answers(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(says_nothing) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")

        found = _unreachable(check, FAR, timeout=0.2)

    assert found.cause == Obstacle.PROXY
    assert "it did not answer in time" in found.reason


@both
def test_a_certificate_that_is_not_trusted_beyond_a_proxy_is_no_fault_of_the_proxy(
    check: Check, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.keys.certificates import over_tls

    def reach(connection: socket.socket, host: str) -> None:
        over_tls(authority.context(host), says_nothing)(connection)

    with server(proxy(reach)) as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")

        found = _unreachable(check, FAR)

    assert found.cause == Obstacle.TLS


@both
@pytest.mark.parametrize("setting", ["ftp://127.0.0.1:9", "socks5://127.0.0.1:9", "http://user:word@127.0.0.1:x"])
def test_a_setting_that_names_no_proxy(setting: str, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", setting)

    found = _unreachable(check, FAR)

    assert found.cause == Obstacle.PROXY
    assert "word" not in repr(found)


@both
def test_a_host_for_which_there_shall_be_no_proxy(
    check: Check, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.always(**NO_KEY)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    assert check("openai", KEY, base_url=loopback.url).outcome == KeyOutcome.REJECTED


# ------------------------------------------------------------------------------------------------ what it costs


@pytest.mark.parametrize("call", ["check_key({})", "__import__('asyncio').run(acheck_key({}))"], ids=["sync", "async"])
def test_a_check_imports_nothing_but_httpx(call: str, loopback: Loopback, child_environment: dict[str, str]) -> None:
    loopback.reply(json=LIST)
    loopback.always(**NO_KEY)
    code = f"""
import sys
from homeostasis_llm.keys.probe import acheck_key, check_key
before = set(sys.modules)
found = {call.format(f"'groq', {KEY!r}, base_url={loopback.url!r}")}
heavy = ("litellm", "langchain_core", "keyring", "pydantic", "httpx")
print(found.outcome, [name for name in heavy if name in before], [name for name in heavy if name in sys.modules])
"""

    child = subprocess.run(
        [sys.executable, "-c", code], env=child_environment, capture_output=True, text=True, check=False
    )

    assert (child.stdout, child.stderr) == ("verified [] ['httpx']\n", "")


# ------------------------------------------------------------------------------------------------ a real server


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The address of a llama.cpp server that wants `KEY`."""
    adapter = pytest.importorskip("homeostasis_llm_llama_cpp", reason="the embedded model is not installed")
    if not hasattr(adapter, "serve"):
        pytest.skip("this adapter cannot serve")
    with adapter.serve(api_key=KEY) as url:
        yield url


@both
@pytest.mark.parametrize("deep", [False, True], ids=["by its list", "by a token"])
@pytest.mark.parametrize(("provider", "below"), [("openai", "/v1"), ("anthropic", ""), ("llamafile", "/v1")])
def test_a_real_server_accepts_its_key_and_no_other(
    provider: str, below: str, deep: bool, check: Check, guarded: str
) -> None:
    good = check(provider, KEY, base_url=guarded + below, deep=deep, timeout=60)
    wrong = check(provider, "wr0ng-one", base_url=guarded + below, deep=deep, timeout=60)

    assert (good.outcome, wrong.outcome) == (KeyOutcome.VERIFIED, KeyOutcome.REJECTED), (good, wrong)
    assert good.charged is deep
    assert wrong.said


def test_facts_of_ones_own_will_do_as_well_as_a_name(loopback: Loopback) -> None:
    facts = replace(all_facts()["groq"], name="mine", title="Mine", base_url=loopback.url, auth="header:x-mine")
    loopback.always(json=LIST)

    found = check_key(facts, KEY)

    assert found.outcome == KeyOutcome.VERIFIED
    assert found.provider == "mine"
    assert loopback.requests[0].headers["x-mine"] == KEY
    assert len(loopback.requests) == 1

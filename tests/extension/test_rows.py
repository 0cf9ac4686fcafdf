"""A table of the settings makes a provider, in every door; a wrong one harms no other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from langchain_core.messages import AIMessage

from homeostasis_llm import (
    APIKeyManager,
    AuthenticationError,
    BrokenPluginError,
    ChatHomeostasis,
    InvalidRequestError,
    LLMManager,
    LLMMessage,
    LLMRequest,
    ProviderFactory,
    RetryConfig,
)
from homeostasis_llm.cli import homeostasis
from homeostasis_llm.config import config_path, load_settings, set_enable_fallback, set_values
from homeostasis_llm.config import settings as settings_of_rows
from tests.cli.conftest import install
from tests.cli.test_ask import COMPLETION, sse
from tests.loopback import Loopback

KEY = "ml-made-up-0123456789"


def write(text: str) -> Path:
    place = config_path()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def row(url: str, **more: object) -> Path:
    """The settings have a row called myllm."""
    told = {"dialect": "openai", "base_url": f"{url}/v1", "default_model": "my-1", **more}
    return write("[providers.myllm]\n" + "".join(f"{name} = {json.dumps(given)}\n" for name, given in told.items()))


def question(model: str | None = None) -> LLMRequest:
    return LLMRequest(messages=[LLMMessage(role="user", content="hi")], model=model)


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(homeostasis, ["llm", *arguments], input=stdin, catch_exceptions=False)


# ----------------------------------------------------------------------------------------------------- in every door


def test_a_row_answers_and_streams(loopback: Loopback) -> None:
    row(loopback.url)
    loopback.reply(json=COMPLETION)
    loopback.reply(chunks=sse("Pa", "ris."))

    with ProviderFactory.create_provider("myllm", KEY) as provider:
        response = provider.complete(question())
        pieces = [piece if isinstance(piece, str) else piece.text for piece in provider.complete_stream(question())]

    assert (response.content, response.provider) == ("Paris.", "myllm")
    assert "".join(pieces) == "Paris."
    assert [(sent.path, sent.json["model"]) for sent in loopback.requests] == [("/v1/chat/completions", "my-1")] * 2
    assert {sent.headers["Authorization"] for sent in loopback.requests} == {f"Bearer {KEY}"}


def test_the_terminal_stores_and_checks_its_key_asks_it_and_lists_it(loopback: Loopback) -> None:
    row(loopback.url, title="My LLM", key_prefix="ml-")
    loopback.always(json={"data": [{"id": "my-2"}, {"id": "my-1"}]})

    stored = run("set-key", "myllm", stdin=f"{KEY}\n")
    checked = run("validate-key", "myllm", "--verbose")
    tested = run("test-providers", "-p", "myllm")
    models = run("models", "myllm")
    listed = json.loads(run("providers", "--json").stdout)
    loopback.reply(chunks=sse("Paris."))
    asked = run("ask", "hi", "-p", "myllm")

    assert (stored.exit_code, checked.exit_code, tested.exit_code) == (0, 0, 0)
    assert checked.stdout.startswith("myllm: verified in ")
    assert f"asked: GET {loopback.url}/v1/models" in checked.stdout
    assert models.stdout == "my-1\nmy-2\n"
    assert asked.stdout == "Paris.\n"
    (told,) = [one for one in listed if one["name"] == "myllm"]
    assert (told["title"], told["default_model"], told["has_key"], told["source"]) == (
        "My LLM",
        "my-1",
        True,
        "settings",
    )


def test_a_wrong_key_is_refused_and_not_stored(loopback: Loopback) -> None:
    row(loopback.url)
    loopback.always(status=401, json={"error": {"message": "no such key"}})

    assert run("set-key", "myllm", stdin=f"{KEY}\n").exit_code == 1
    assert APIKeyManager().get_key("myllm") is None
    with pytest.raises(AuthenticationError):
        ProviderFactory.create_provider("myllm", KEY).complete(question())


def test_it_is_among_the_supported_providers_and_its_name_is_taken(loopback: Loopback) -> None:
    place = row(loopback.url)

    assert "myllm" in APIKeyManager.SUPPORTED_PROVIDERS
    assert "myllm" in ProviderFactory.get_supported_providers()
    with pytest.raises(InvalidRequestError) as caught:
        ProviderFactory.register("MyLLM", lambda key: ProviderFactory.create_provider("openai", key))
    assert f"taken by a row of the settings ({place}, line 1)" in str(caught.value)


def test_the_manager_finds_it_by_its_key_and_goes_on_from_it(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    row(loopback.url)
    monkeypatch.setenv("MYLLM_API_KEY", KEY)
    loopback.reply(json=COMPLETION)
    loopback.always(status=503)

    with LLMManager() as found:
        assert found.get_available_providers() == ["myllm"]
        assert found.complete(question()).provider == "myllm"
    with LLMManager(providers=["myllm", "llama_cpp"], retry_config=RetryConfig(max_retries=0)) as manager:
        request = LLMRequest(messages=question().messages, max_tokens=4, temperature=0)
        assert manager.complete(request).provider == "llama_cpp"


def test_it_is_a_chat_model(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    row(loopback.url)
    monkeypatch.setenv("MYLLM_API_KEY", KEY)
    loopback.always(json=COMPLETION)

    for model in (ChatHomeostasis(provider="myllm"), ChatHomeostasis(model="myllm:my-7"), ChatHomeostasis()):
        answer = model.invoke("hi")
        assert isinstance(answer, AIMessage)
        assert answer.text == "Paris."
    assert [sent.json["model"] for sent in loopback.requests] == ["my-1", "my-7", "my-1"]


# ---------------------------------------------------------------------------------------------------- what a row says

ANTHROPIC: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "my-1",
    "content": [{"type": "text", "text": "Paris."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 2},
}
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Paris."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11},
}
COHERE = {
    "id": "c1",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Paris."}]},
    "usage": {"tokens": {"input_tokens": 9, "output_tokens": 2}},
}
OLLAMA = {
    "model": "my-1",
    "created_at": "2026-01-01T00:00:00Z",
    "message": {"role": "assistant", "content": "Paris."},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 9,
    "eval_count": 2,
}
DIALECTS = {
    "openai": (COMPLETION, "/v1/chat/completions", "/v1/models"),
    "anthropic": (ANTHROPIC, "/v1/messages", "/v1/models"),
    "gemini": (GEMINI, "/v1beta/models/my-1:generateContent", "/v1beta/models"),
    "cohere": (COHERE, "/v2/chat", "/v1/models"),
    "ollama": (OLLAMA, "/api/chat", "/api/tags"),
}
BASES = {"openai": "/v1", "cohere": "/v2"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("auth", [None, "bearer", "scheme:Token", "header:X-My-Key", "query:token", "none"])
def test_every_dialect_is_spoken_at_its_address_and_shows_the_key_as_told(
    dialect: str, auth: str | None, loopback: Loopback
) -> None:
    answer, path, listing = DIALECTS[dialect]
    row(
        loopback.url,
        dialect=dialect,
        base_url=loopback.url + BASES.get(dialect, ""),
        **({} if auth is None else {"auth": auth}),
    )
    provider = ProviderFactory.create_provider("myllm", KEY)
    loopback.always(json=answer)  # of Ollama, litellm may also ask what the model can do, without the key

    response = provider.complete(question())
    loopback.always(json={"models": [{"name": "my-1", "id": "my-1"}]})
    models = provider.get_available_models()

    asked, *_, listed = loopback.requests
    assert (response.content, models) == ("Paris.", ["my-1"])
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (9, 2)
    assert (asked.path, listed.path) == (path, listing)
    usual = {"anthropic": "header:x-api-key", "gemini": "header:x-goog-api-key"}.get(dialect, "bearer")
    assert [_shown(sent.headers.items(), sent.query) for sent in (asked, listed)] == [_said(auth or usual)] * 2


def _shown(headers: Any, query: dict[str, list[str]]) -> set[str]:
    """Where the key was shown."""
    found = {f"header:{name.lower()}" for name, value in headers if KEY in value}
    assert not {name.lower() for name, _ in headers} & {"authorization", "x-api-key", "x-goog-api-key"} - {
        name.removeprefix("header:") for name in found
    }
    if any(value == f"Token {KEY}" for _, value in headers):
        return {"scheme:token"}
    return found | {f"query:{name}" for name, values in query.items() if KEY in values}


def _said(auth: str) -> set[str]:
    return {"none": set(), "bearer": {"header:authorization"}}.get(auth, {auth.lower()})


def test_it_says_where_its_key_is_looked_for(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    row(loopback.url, env=["MY_OWN_KEY", "OTHER_KEY"])
    monkeypatch.setenv("OTHER_KEY", KEY)
    loopback.always(json=COMPLETION)

    ProviderFactory.create_provider("myllm").complete(question())

    assert loopback.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    (told,) = [one for one in json.loads(run("providers", "--json").stdout) if one["name"] == "myllm"]
    assert told["key_looked_for_in"] == ["HOMEOSTASIS_MYLLM_API_KEY", "MY_OWN_KEY", "OTHER_KEY", "keyring"]


def test_without_auth_it_needs_no_key_and_is_found_without_one(loopback: Loopback) -> None:
    row(loopback.url, auth="none")
    loopback.always(json=COMPLETION)

    with LLMManager() as manager:
        assert manager.complete(question()).provider == "myllm"
    assert loopback.requests[0].headers["Authorization"] is None


def test_models_headers_and_limits_are_those_of_the_row(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    row(loopback.url, context_window=50, max_concurrent=1)
    set_values(
        {("providers", "myllm", "model_map", "gpt-4"): "my-large", ("providers", "myllm", "headers", "X-Team"): "a"}
    )
    set_values({("providers", "myllm", "prices", "my-1"): {"input": 1.0, "output": 10.0}})
    monkeypatch.setenv("MYLLM_API_KEY", KEY)
    loopback.always(json=COMPLETION)

    with LLMManager() as manager:
        response = manager.complete(question())
        manager.complete(question("gpt-4"))
        long = LLMRequest(messages=[LLMMessage(role="user", content="word " * 500)])
        with pytest.raises(Exception, match=r"context|50"):
            manager.complete(long)
    ProviderFactory.create_provider("myllm").complete(question("gpt-4"))

    assert response.cost == pytest.approx((9 * 1.0 + 2 * 10.0) / 1_000_000)
    assert [sent.json["model"] for sent in loopback.requests] == ["my-1", "my-large", "my-large"]
    assert {sent.headers["X-Team"] for sent in loopback.requests} == {"a"}


def test_a_row_that_is_changed_holds_at_the_next_call(loopback: Loopback) -> None:
    row(loopback.url)
    loopback.always(json=COMPLETION)
    set_values({("providers", "myllm", "default_model"): "my-9"})

    ProviderFactory.create_provider("myllm", KEY).complete(question())

    assert loopback.requests[0].json["model"] == "my-9"


# ----------------------------------------------------------------------------------------------------------- mistakes

GOOD = '[providers.good]\ndialect = "openai"\nbase_url = "http://127.0.0.1:9/v1"\n'


@pytest.mark.parametrize(
    ("table", "line", "said"),
    [
        ('dialect = "opnai"\nbase_url = "http://x"', 5, 'providers.bad.dialect: must be "openai", "anthropic", '),
        ('dialect = "openai"\nbase_ur1 = "http://x"\nbase_url = "http://x"', 6, "did you mean base_url?"),
        ('dialct = "openai"\nbase_url = "http://x"', 5, "did you mean dialect?"),
        ('dialect = "openai"', 5, "needs base_url too"),
        ('base_url = "http://x"\nkey_prefix = "ml-"', 6, "say which dialect it speaks"),
        ('dialect = "openai"\nbase_url = "ftp://x"', 6, "must begin with https:// or http://"),
        (
            'dialect = "openai"\nbase_url = "http://x"\nauth = "basic"',
            7,
            "must be bearer, scheme:WORD, header:NAME, query:NAME or none",
        ),
        ('dialect = "openai"\nbase_url = "http://x"\nenv = "MY KEY"', 7, "must be the name of an environment variable"),
        ('dialect = "openai"\nbase_url = "http://x"\nkey_prefix = 3', 7, "must be a string, found 3"),
    ],
)
def test_a_wrong_row_is_named_with_file_and_line_and_the_rest_works(table: str, line: int, said: str) -> None:
    place = write(f"{GOOD}[providers.bad]\n{table}\n")

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("bad", KEY)
    listed = {one["name"]: one["problem"] for one in json.loads(run("providers", "--json").stdout)}
    checked = run("config", "check")

    assert str(caught.value).startswith(f"{place}, line {line}: providers.bad")
    assert said in str(caught.value)
    assert listed["bad"] == str(caught.value)
    assert listed["good"] is listed["openai"] is None
    assert ProviderFactory.create_provider("good", KEY).name == "good"
    assert (checked.exit_code, checked.stdout) == (1, f"{caught.value}\n")


def test_a_row_does_not_change_a_provider_of_the_catalog_silently() -> None:
    place = write('[providers.claude]\ndialect = "openai"\nbase_url = "http://127.0.0.1:9"\n')

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("anthropic", KEY)

    assert str(caught.value) == (
        f"{place}, line 1: providers.claude: is a provider of the catalog: give yours another name, or take dialect "
        "away to set that one"
    )


def test_a_row_takes_no_name_of_litellms() -> None:
    place = write(GOOD.replace("good", "poe"))

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("poe", KEY)

    assert str(caught.value) == f"{place}, line 1: the name 'poe' is taken by one of litellm's"


def test_the_manager_leaves_a_wrong_row_and_asks_the_next(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    write(f'{GOOD.replace("http://127.0.0.1:9", loopback.url)}[providers.bad]\ndialect = "x"\n')
    monkeypatch.setenv("GOOD_API_KEY", KEY)
    loopback.always(json=COMPLETION)

    with LLMManager(providers=["bad", "good:my-1"]) as manager:
        response = manager.complete(question())

    assert [one.provider for one in response.attempts or ()] == ["bad", "good"]


def test_a_key_in_a_row_is_told_and_not_shown() -> None:
    secret = "sk-proj-0123456789abcdefghij"
    write(f'{GOOD}key_prefix = "{secret}"\n')

    checked = run("config", "check")

    assert "no key belongs in this file" in checked.stdout
    assert secret not in checked.output


def test_other_settings_can_be_changed_beside_a_wrong_row_but_no_row_be_made_wrong() -> None:
    write(f'{GOOD}[providers.bad]\ndialect = "x"\n')

    set_enable_fallback(False)
    with pytest.raises(InvalidRequestError, match=r'must be "openai"'):
        set_values({("providers", "good", "dialect"): "y"})

    settings = load_settings()
    assert settings.enable_fallback is False
    assert settings.provider("good").dialect == "openai"
    assert list(settings.broken) == ["bad"]


def test_a_broken_file_is_told_to_whoever_asks_for_a_name_that_may_be_in_it() -> None:
    write("[providers.myllm\n")

    asked = run("ask", "hi", "-p", "myllm")

    assert (asked.exit_code, asked.stderr.count("\n")) == (1, 1)
    assert "line 1: is no TOML" in asked.stderr
    assert "myllm" not in ProviderFactory.get_supported_providers()


# ------------------------------------------------------------------------------------------------- shipped by a package


def ship(site: Path, name: str, row: object) -> None:
    """Install a package whose entry point is a row."""
    module = f"{name}_row"
    (site / f"{module}.py").write_text(f"ROW = {row!r}\n", encoding="utf-8")
    install(site, f"{name}-row", **{name: f"{module}:ROW"})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where packages are installed for a test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(settings_of_rows, "_shipped", {})
    yield tmp_path
    for module in [name for name in sys.modules if name.endswith("_row")]:
        del sys.modules[module]


def test_a_package_ships_a_row_that_the_settings_go_before(
    site: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = {"shipped-1": {"input": 1.0, "output": 10.0}}
    ship(
        site,
        "shipped",
        {
            "dialect": "openai",
            "base_url": "http://127.0.0.1:9/v1",
            "env": "SHIPPED_KEY",
            "default_model": "shipped-1",
            "model_map": {"gpt-4": "shipped-2"},
            "prices": prices,
        },
    )
    write(f'[providers.shipped]\nbase_url = "{loopback.url}/v1"\n')
    monkeypatch.setenv("SHIPPED_KEY", KEY)
    loopback.always(json=COMPLETION)

    listed = {one["name"]: one for one in json.loads(run("providers", "--json").stdout)}
    with LLMManager(providers=["shipped"]) as manager:
        response = manager.complete(question())
        manager.complete(question("gpt-4"))

    told = listed["shipped"]
    assert (told["source"], told["has_key"], told["default_model"]) == ("plugin shipped-row 1.0", True, "shipped-1")
    assert response.cost == pytest.approx((9 * 1.0 + 2 * 10.0) / 1_000_000)
    assert [sent.json["model"] for sent in loopback.requests] == ["shipped-1", "shipped-2"]
    assert loopback.requests[0].headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"base_url": "http://x"}, "needs a dialect"),
        ({"dialect": "opnai", "base_url": "http://x"}, 'dialect must be "openai", "anthropic", '),
        ({"dialect": "openai", "base_ur1": "http://x"}, "base_ur1 is unknown; did you mean base_url?"),
        (
            {"dialect": "openai", "base_url": "http://x", "api_key_command": "rm x"},
            "only a user can say where the key is",
        ),
    ],
)
def test_a_wrong_row_of_a_package_is_named_with_its_entry_point(row: dict[str, str], said: str, site: Path) -> None:
    ship(site, "shipped", row)

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("shipped", KEY)

    assert str(caught.value).startswith(
        "the plugin 'shipped' of shipped-row 1.0 (shipped_row:ROW) is a row with a mistake: "
    )
    assert said in str(caught.value)
    listed = {one["name"]: one["problem"] for one in json.loads(run("providers", "--json").stdout)}
    assert (listed["shipped"], listed["openai"]) == (str(caught.value), None)


def test_a_package_takes_no_name_of_the_catalog_for_a_row(site: Path) -> None:
    ship(site, "openai", {"dialect": "openai", "base_url": "http://127.0.0.1:9"})

    with pytest.raises(BrokenPluginError, match="'openai' is a provider of the catalog, whose place a row cannot take"):
        ProviderFactory.create_provider("openai", KEY)


def test_a_row_of_the_settings_does_not_take_the_name_of_a_plugin(site: Path) -> None:
    ship(site, "shipped", {"dialect": "openai", "base_url": "http://127.0.0.1:9"})
    place = write('[providers.shipped]\ndialect = "ollama"\nbase_url = "http://127.0.0.1:9"\n')

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("shipped", KEY)

    assert str(caught.value) == (
        f"{place}, line 1: the name 'shipped' is taken by the plugin shipped-row 1.0 (shipped_row:ROW)"
    )

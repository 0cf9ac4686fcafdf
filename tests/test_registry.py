"""From names to providers: what is found, what goes before what, and what a broken plugin may not do to others."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.fail
import pytest
from pydantic import SecretStr

from homeostasis_llm import (
    APIKeyMissingError,
    BrokenPluginError,
    InvalidRequestError,
    LLMError,
    LLMMessage,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    UnknownProviderError,
)
from homeostasis_llm.catalog import all_facts
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

from .loopback import Loopback

Install = Callable[..., Path]


class Own(LLMProviderInterface):
    """A provider as an author writes one."""

    name = "own"
    default_model = "own-1"
    base_url: str | None = None

    def complete(self, request: LLMRequest) -> LLMResponse:
        return LLMResponse(content="", provider=self.name, model=request.model or self.default_model)

    def validate_key(self, api_key: str) -> bool:
        return bool(api_key)

    def get_available_models(self) -> list[str]:
        return [self.default_model]


class Other(Own):
    """Another one."""


MODULE = """
from homeostasis_llm import LLMProviderInterface, LLMResponse

class Provider(LLMProviderInterface):
    name = "acme"
    default_model = "acme-1"

    def __init__(self, api_key, base_url=None):
        self.api_key = api_key
        self.base_url = base_url

    def complete(self, request):
        return LLMResponse(content="", provider="acme", model="acme-1")

    def validate_key(self, api_key):
        return True

    def get_available_models(self):
        return []
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module and one entry point, as pip would; gone again after the test."""
    modules = []

    def installed(name: str, code: str = MODULE, *, distribution: str = "acme-llm", target: str = "Provider") -> Path:
        module = distribution.replace("-", "_")
        modules.append(module)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[homeostasis_llm.providers]\n{name} = {module}:{target}\n")
        (tmp_path / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        return info

    yield installed
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Iterator[None]:
    yield
    for entry in ProviderFactory.entries():
        if entry.source == "registered":
            ProviderFactory.unregister(entry.name)


# ------------------------------------------------------------------------------------------------------------ listing


def test_the_list_has_every_kind_of_provider_sorted(install: Install) -> None:
    install("acme")
    ProviderFactory.register("own", Own)

    names = ProviderFactory.get_supported_providers()

    assert {"own", "acme", "poe", "nano-gpt", *all_facts()} <= {*names}
    assert names == sorted(set(names))
    assert names == [entry.name for entry in ProviderFactory.entries()]


def test_what_litellm_calls_a_provider_of_ours_is_not_listed_beside_it() -> None:
    names = ProviderFactory.get_supported_providers()

    assert "ollama" in names
    assert "ollama_chat" not in names


def test_listing_and_making_import_neither_litellm_nor_plugins(
    install: Install, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    install("acme")
    code = """
import sys
from homeostasis_llm import ProviderFactory
ProviderFactory.get_supported_providers()
assert "acme" in [entry.name for entry in ProviderFactory.entries()]
print([name for name in ("litellm", "acme_llm", "keyring", "httpx", "langchain_core") if name in sys.modules])
ProviderFactory.create_provider("openai", "key-1")
print([name for name in ("litellm", "acme_llm", "keyring", "langchain_core") if name in sys.modules])
"""
    path = os.pathsep.join((child_environment["PYTHONPATH"], str(tmp_path)))

    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**child_environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert child.stdout == "[]\n[]\n"


def test_each_entry_says_where_it_comes_from_and_what_it_asks_by_default(install: Install) -> None:
    install("acme")
    ProviderFactory.register("own", Own)

    told = {name: ProviderFactory.describe(name) for name in ("own", "acme", "groq", "poe")}

    assert {name: (entry.source, entry.default_model) for name, entry in told.items()} == {
        "own": ("registered", "own-1"),
        "acme": ("plugin acme-llm 1.0", None),  # not imported for that
        "groq": ("catalog", all_facts()["groq"].default_model),
        "poe": ("litellm", None),
    }
    assert ProviderFactory.describe("acme", load_plugin=True).default_model == "acme-1"


def test_a_plugin_is_seen_when_it_is_installed_and_no_longer_when_it_is_gone(install: Install) -> None:
    assert "acme" not in ProviderFactory.get_supported_providers()

    info = install("acme")
    assert "acme" in ProviderFactory.get_supported_providers()

    (info / "entry_points.txt").unlink()
    assert "acme" not in ProviderFactory.get_supported_providers()


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["Fireworks-AI", "fireworks_ai", "FIREWORKS"])
def test_names_of_the_catalog_are_the_same_in_every_spelling(name: str) -> None:
    provider = ProviderFactory.create_provider(name, "key-1")

    assert isinstance(provider, LiteLLMProvider)
    assert provider.name == "fireworks_ai"


@pytest.mark.parametrize("name", ["My-Llm", "my_llm", "MY-LLM"])
def test_names_of_others_are_the_same_in_every_spelling_too(name: str, install: Install) -> None:
    install("my-llm")

    assert ProviderFactory.create_provider(name, "").name == "acme"
    assert ProviderFactory.describe(name).name == "my-llm"


@pytest.mark.parametrize(("name", "own_name"), [("poe", "poe"), ("Nano_GPT", "nano-gpt"), ("modelscope", "modelscope")])
def test_what_only_litellm_knows_is_made_under_litellms_name(name: str, own_name: str) -> None:
    provider = ProviderFactory.create_provider(name, "key-1")

    assert isinstance(provider, LiteLLMProvider)
    assert provider.name == own_name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("opnai", "did you mean 'openai'?"),
        ("gogle", "did you mean 'gemini'?"),  # by its alias
        ("openrooter", "did you mean 'openrouter'?"),
        ("openai/gpt-5.4-mini", "for the model after the '/' give the provider 'openai'"),
        ("claude:haiku", "for the model after the ':' give the provider 'anthropic'"),
        ("/", "`homeostasis llm providers` lists all"),
        ("qqqqqq", "no provider is called 'qqqqqq'. `homeostasis llm providers` lists all"),
        ("x" * 10_000, "…'. `homeostasis llm providers` lists all"),
        ("", "a provider's name is empty; `homeostasis llm providers` lists all"),
        (" ", "a provider's name is empty"),
        (None, "a provider's name is a str, got NoneType"),
        (7, "a provider's name is a str, got int"),
    ],
)
@pytest.mark.parametrize("ask", [ProviderFactory.create_provider, ProviderFactory.describe])
def test_an_unknown_name_is_an_error_with_the_nearest(ask: Callable[[Any], object], name: Any, hint: str) -> None:
    with pytest.raises(UnknownProviderError) as caught:
        ask(name)

    assert hint in caught.value.message
    assert len(caught.value.message) < 250
    assert isinstance(caught.value, ValueError)


def test_a_plugins_name_is_suggested_too(install: Install) -> None:
    install("my-llm")

    with pytest.raises(UnknownProviderError, match="did you mean 'my-llm'"):
        ProviderFactory.create_provider("my-lmm")


# -------------------------------------------------------------------------------------------------------- precedence


def test_a_plugin_takes_the_place_of_a_row_of_the_catalog(install: Install) -> None:
    install("groq")

    assert ProviderFactory.create_provider("groq", "key-1").name == "acme"
    entry = ProviderFactory.describe("groq")
    assert (entry.source, entry.facts) == ("plugin acme-llm 1.0", all_facts()["groq"])


def test_what_is_registered_goes_before_a_plugin(install: Install) -> None:
    install("acme")
    ProviderFactory.register("acme", Own, replace=True)
    assert isinstance(ProviderFactory.create_provider("acme", ""), Own)

    ProviderFactory.unregister("acme")
    assert ProviderFactory.create_provider("acme", "").name == "acme"


@pytest.mark.parametrize(
    ("name", "holder"),
    [
        ("own", "test_registry.Own"),
        ("OWN", "test_registry.Own"),
        ("acme", r"the plugin acme-llm 1\.0 \(acme_llm:Provider\)"),
        ("openai", "'openai' of the catalog"),
        ("claude", "'anthropic' of the catalog"),
        ("poe", "one of litellm's"),
    ],
)
def test_registering_a_taken_name_is_refused_and_names_both(name: str, holder: str, install: Install) -> None:
    install("acme")
    ProviderFactory.register("own", Own)

    with pytest.raises(InvalidRequestError, match=rf"{holder}; with replace=True .*test_registry\.Other gets it"):
        ProviderFactory.register(name, Other)

    ProviderFactory.register(name, Other, replace=True)
    assert isinstance(ProviderFactory.create_provider(name, ""), Other)


def test_what_is_registered_in_place_of_a_row_is_listed_once() -> None:
    ProviderFactory.register("Claude", Own, replace=True)

    names = ProviderFactory.get_supported_providers()

    assert names.count("anthropic") == 1
    assert "claude" not in names
    assert ProviderFactory.describe("anthropic").source == "registered"


def test_a_function_may_be_registered() -> None:
    ProviderFactory.register("own", lambda api_key: Own(api_key, base_url="http://made.example"))

    provider = ProviderFactory.create_provider("own", "key-1")

    assert (provider.api_key, vars(provider)["base_url"]) == ("key-1", "http://made.example")


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        (object, "builtins.object is no subclass of LLMProviderInterface"),
        (LLMProviderInterface, "is not finished: it lacks complete, default_model, get_available_models, name"),
        ("own", "'own' is neither a class nor a function, but a str"),
        (None, "None is neither a class nor a function, but a NoneType"),
    ],
)
def test_what_makes_no_provider_cannot_be_registered(provider: Any, problem: str) -> None:
    with pytest.raises(InvalidRequestError, match=problem):
        ProviderFactory.register("own", provider)

    assert "own" not in ProviderFactory.get_supported_providers()


def test_what_a_registered_function_makes_must_be_a_provider() -> None:
    maker: Any = lambda api_key: api_key  # noqa: E731  # mistyped on purpose
    ProviderFactory.register("own", maker)

    with pytest.raises(BrokenPluginError, match="own: what should make its provider made a str"):
        ProviderFactory.create_provider("own", "key-1")


def test_a_bug_in_a_registered_class_keeps_its_traceback() -> None:
    class Buggy(Own):
        def __init__(self, api_key: str) -> None:
            raise ZeroDivisionError(api_key)

    ProviderFactory.register("own", Buggy)

    with pytest.raises(ZeroDivisionError):
        ProviderFactory.create_provider("own", "key-1")


def test_what_was_not_registered_cannot_be_unregistered() -> None:
    with pytest.raises(UnknownProviderError, match=r"unregister\('openai'\): nothing is registered"):
        ProviderFactory.unregister("openai")


def test_many_threads_may_register_at_once() -> None:
    names = [f"own-{number}" for number in range(40)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: ProviderFactory.register(name, Own), names))
        made = list(threads.map(lambda name: ProviderFactory.create_provider(name, ""), names))
        list(threads.map(ProviderFactory.unregister, names))

    assert all(isinstance(provider, Own) for provider in made)
    assert not {*names} & {*ProviderFactory.get_supported_providers()}


# ---------------------------------------------------------------------------------------------------- broken plugins

BROKEN = {
    "raises when imported": ("raise RuntimeError('no\\nluck')", "cannot be loaded: RuntimeError: no"),
    "misses a dependency": ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
    "is no Python": ("def", "cannot be loaded: SyntaxError: invalid syntax"),
    "exits": ("import sys; sys.exit(3)", "cannot be loaded: SystemExit: 3"),
    "has no such name": ("", "cannot be loaded: AttributeError: module 'acme_llm' has no attribute 'Provider'"),
    "is no class": ("Provider = 7", "is neither a class nor a function, but a int"),
    "is another class": ("class Provider: pass", "is no subclass of LLMProviderInterface"),
    "is not finished": (
        "from homeostasis_llm import LLMProviderInterface\nclass Provider(LLMProviderInterface): name = 'acme'",
        "is not finished: it lacks complete, default_model, get_available_models, validate_key",
    ),
}
WHO = "the plugin 'acme' of acme-llm 1.0 (acme_llm:Provider) "


@pytest.mark.parametrize(("code", "cause"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_named_with_its_cause_to_who_asks_for_it(code: str, cause: str, install: Install) -> None:
    install("acme", code)

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("acme", "")

    assert caught.value.message.startswith(WHO)
    assert cause in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.provider == "acme"
    assert str(pickle.loads(pickle.dumps(caught.value))) == caught.value.message  # noqa: S301  # our own bytes


def test_the_traceback_of_a_plugin_that_cannot_be_loaded_is_logged(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install("acme", "import not_there_at_all")

    with caplog.at_level("DEBUG", "homeostasis_llm.plugins"), pytest.raises(BrokenPluginError):
        ProviderFactory.create_provider("acme", "")

    assert "acme-llm 1.0 (acme_llm:Provider) cannot be loaded" in caplog.text
    assert 'acme_llm.py", line 1' in caplog.text


@pytest.mark.parametrize("code", [code for code, _ in BROKEN.values()], ids=BROKEN)
def test_a_broken_plugin_is_listed_and_harms_nobody(code: str, install: Install) -> None:
    install("acme", code)
    install("bolt", distribution="bolt-llm")

    entries = {entry.name: entry for entry in ProviderFactory.entries(load_plugins=True)}

    assert (entries["acme"].problem or "").startswith(WHO)
    assert entries["bolt"].problem is None
    assert entries["openai"].problem is None
    assert ProviderFactory.create_provider("bolt", "").name == "acme"
    assert ProviderFactory.create_provider("openai", "key-1").name == "openai"


@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("raise ValueError('no ' + api_key)", "cannot make its provider: ValueError: no [key removed]"),
        ("raise TypeError('x')", "cannot make its provider: TypeError: x"),
    ],
)
def test_a_plugin_whose_constructor_fails_is_broken(line: str, how: str, install: Install) -> None:
    install("acme", MODULE.replace("self.api_key = api_key", line))

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("acme", "open sesame")

    assert caught.value.message == WHO + how
    assert "sesame" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert "Error: " in str(caught.value.__cause__)
    assert caught.value.__context__ is None  # it would hold the key, and travel with the error


def test_an_error_of_ours_from_a_plugins_constructor_stays_as_it_is(install: Install) -> None:
    install(
        "acme",
        MODULE.replace("self.api_key = api_key", "raise LLMError('no')").replace(
            "import LLMProviderInterface", "import LLMError, LLMProviderInterface"
        ),
    )

    with pytest.raises(LLMError) as caught:
        ProviderFactory.create_provider("acme", "")

    assert type(caught.value) is LLMError


def test_a_plugin_may_be_a_function(install: Install) -> None:
    install("acme", f"{MODULE}\ndef make(api_key): return Provider(api_key, 'http://made.example')\n", target="make")

    provider = ProviderFactory.create_provider("acme", "")

    assert vars(provider)["base_url"] == "http://made.example"


def test_a_plugin_that_makes_something_else_is_broken(install: Install) -> None:
    install("acme", "def make(api_key): return 7", target="make")

    with pytest.raises(BrokenPluginError, match="acme: what should make its provider made a int"):
        ProviderFactory.create_provider("acme", "")


def test_two_plugins_of_one_name_are_an_error_that_names_both(install: Install) -> None:
    install("my-llm")
    install("My_LLM", distribution="bolt-llm")

    with pytest.raises(BrokenPluginError) as caught:
        ProviderFactory.create_provider("my_llm", "")

    assert "acme-llm 1.0 (acme_llm:Provider) and bolt-llm 1.0 (bolt_llm:Provider)" in caught.value.message
    entry = ProviderFactory.describe("my_llm")
    assert (entry.source, entry.problem) == ("plugin acme-llm 1.0 and bolt-llm 1.0", caught.value.message)
    assert {"acme_llm", "bolt_llm"} & sys.modules.keys() == set()


def test_a_clash_ends_where_the_name_is_registered(install: Install) -> None:
    install("acme")
    install("acme", distribution="bolt-llm")
    ProviderFactory.register("acme", Own, replace=True)

    assert isinstance(ProviderFactory.create_provider("acme", ""), Own)


# ------------------------------------------------------------------------------------------------------ keys, options


def _made(name: str, *args: Any, **options: Any) -> LLMProviderInterface:
    return ProviderFactory.create_provider(name, *args, **options)


def test_a_key_that_is_given_is_used_and_none_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-1")

    assert _made("openai", "key-2").api_key == "key-2"
    assert _made("openai", SecretStr("key-3")).api_key == "key-3"
    assert _made("openai", api_key="").api_key == ""  # said to be none
    assert _made("openai").api_key == "key-1"


def test_a_key_is_found_for_registered_providers_and_plugins_too(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme")
    ProviderFactory.register("own", Own)
    keyring.set_password("homeostasis-llm", "acme", "key-1")
    monkeypatch.setenv("HOMEOSTASIS_OWN_API_KEY", "key-2")

    assert (_made("acme").api_key, _made("own").api_key) == ("key-1", "key-2")
    assert (_made("acme", SecretStr("key-3")).api_key, _made("own", "").api_key) == ("key-3", "")


def test_a_missing_key_is_an_error_that_says_how_to_set_it() -> None:
    with pytest.raises(APIKeyMissingError) as caught:
        _made("Together")

    assert caught.value.message == (
        "together_ai needs a key and none was found: run `homeostasis llm set-key together_ai`, or set "
        "HOMEOSTASIS_TOGETHER_AI_API_KEY or TOGETHER_API_KEY or TOGETHER_AI_API_KEY or TOGETHERAI_API_KEY or "
        "TOGETHER_AI_TOKEN; keys are made at https://api.together.ai/settings/api-keys"
    )
    assert caught.value.provider == "together_ai"


def test_a_missing_key_may_be_the_keyrings_fault() -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]  # keyring's own
    try:
        with pytest.raises(APIKeyMissingError, match=r"none was found \(this system has no keyring\): run"):
            _made("openai")
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize("name", ["ollama", "lm_studio", "bedrock", "vertex_ai", "poe"])
def test_no_key_is_asked_for_where_none_may_be_needed(name: str) -> None:
    assert _made(name).api_key == ""


def test_a_gateway_may_want_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _made("openai", base_url="http://gateway.example").api_key == ""

    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.example")
    assert _made("openai").api_key == ""


def test_the_providers_own_base_url_is_no_gateway() -> None:
    with pytest.raises(APIKeyMissingError):
        _made("openai", base_url="https://api.openai.com/v1/")
    with pytest.raises(APIKeyMissingError):  # each account of Azure's has a base URL of its own
        _made("azure", base_url="https://account.openai.azure.com")


def test_a_key_that_is_no_text_is_refused() -> None:
    key: Any = 7

    with pytest.raises(InvalidRequestError, match="api_key: must be a str, got int"):
        _made("openai", key)


@pytest.mark.parametrize(
    ("name", "option", "problem"),
    [
        ("openai", "basurl", "openai: has no option 'basurl'; did you mean 'base_url'?"),
        ("openai", "zzz", "openai: has no option 'zzz'; it has base_url, default_model, headers, timeout, api_version"),
        ("acme", "basurl", "acme: has no option 'basurl'; did you mean 'base_url'?"),
        ("own", "basurl", "Own: has no option 'basurl'"),
    ],
)
def test_a_mistyped_option_is_refused(name: str, option: str, problem: str, install: Install) -> None:
    install("acme")
    ProviderFactory.register("own", Own)

    with pytest.raises(InvalidRequestError) as caught:
        _made(name, "key-1", **{option: "http://gateway.example"})

    assert caught.value.message == problem


def test_an_option_that_must_be_given_is_asked_for(install: Install) -> None:
    install("acme", MODULE.replace("base_url=None", "*, region"))

    with pytest.raises(InvalidRequestError, match=r"acme: missing a required (keyword-only )?argument: 'region'"):
        _made("acme", "key-1")


@pytest.mark.parametrize(("name", "port"), [("lm_studio", 1234), ("hosted_vllm", 8000)])
def test_a_local_server_is_asked_at_its_own_port_and_not_openai(
    name: str, port: int, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", loopback.url)  # what is sent anywhere without TLS, the loopback sees
    loopback.always(status=404, json={"error": {"message": "no such model"}})

    with _made(name) as provider, pytest.raises(LLMError):
        provider.complete(LLMRequest(messages=[LLMMessage(role="user", content="hello")], model="any"))

    assert [(request.headers["host"], request.path) for request in loopback.requests] == [
        (f"localhost:{port}", "/v1/chat/completions")
    ]

"""Who is asked, in which order, with which key; what changes about that counts from the next request on."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from homeostasis_llm import (
    AllProvidersFailedError,
    APIKeyManager,
    APIKeyMissingError,
    AuthenticationError,
    InvalidRequestError,
    LLMError,
    LLMManager,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    ProviderFactory,
    QuotaExceededError,
    RateLimitError,
    RetryConfig,
    ServerError,
)
from homeostasis_llm.config import Settings
from homeostasis_llm.errors import UnknownProviderError
from homeostasis_llm.keys.store import forget_key, store_key
from tests.loopback import Loopback
from tests.manager.scripted import HELLO, ONCE, Says, Time, managed

ONE, OTHER, THIRD = "key-one-0123456789", "key-other-0123456789", "key-third-0123456789"


class Keyed(LLMProviderInterface):
    """Does with each key what a test says; remembers the keys that it was asked with."""

    name = "keyed"
    default_model = "keyed-1"
    does: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[str]] = []

    def complete(self, request: LLMRequest) -> LLMResponse:
        _ = request
        self.asked.append(self.api_key)
        said = self.does.get(self.api_key, f"answered with {self.api_key}")
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(said, LLMError):
            raise copy.copy(said)
        return LLMResponse(content=said)

    def validate_key(self, api_key: str) -> bool:
        return bool(api_key)

    def get_available_models(self) -> list[str]:
        return ["keyed-1"]


class Spare(Keyed):
    """Another one."""

    name = "spare"
    default_model = "spare-1"
    does: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[str]] = []


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    for kind in (Keyed, Spare):
        ProviderFactory.register(kind.name, kind)
        kind.does.clear()
        kind.asked.clear()
    yield
    for kind in (Keyed, Spare):
        ProviderFactory.unregister(kind.name)


@pytest.fixture
def time() -> Time:
    return Time()


def of_settings(time: Time, toml: dict[str, Any] | None = None, **options: Any) -> LLMManager:
    """A manager that goes by settings, and keeps its health in memory."""
    settings = None if toml is None else Settings.model_validate(toml)
    return managed(time=time, settings=settings, state="memory", **options)


# ------------------------------------------------------------------------------------------------- order


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Both have a key."""
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", ONE)
    monkeypatch.setenv("HOMEOSTASIS_SPARE_API_KEY", OTHER)
    return monkeypatch


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ({"active_provider": "spare", "fallback_order": ["keyed"]}, ["spare", "keyed"]),
        ({"active_provider": "spare", "fallback_order": ["keyed", "spare"]}, ["spare", "keyed"]),
        ({"fallback_order": ["spare", "keyed"]}, ["spare", "keyed"]),
        ({"fallback_order": ["keyed", "spare"]}, ["keyed", "spare"]),
        ({"active_provider": "keyed", "fallback_order": []}, ["keyed"]),
        ({"active_provider": "keyed", "fallback_order": ["spare"], "enable_fallback": False}, ["keyed"]),
        ({"fallback_order": ["spare", "keyed"], "enable_fallback": False}, ["spare"]),
    ],
)
def test_the_order_is_that_of_the_settings(time: Time, toml: dict[str, Any], expected: list[str]) -> None:
    for kind in (Keyed, Spare):
        kind.does.update(dict.fromkeys((ONE, OTHER), ServerError("down")))

    with pytest.raises(LLMError) as caught:
        of_settings(time, toml, retry_config=ONCE).complete(HELLO)

    assert [attempt.provider for attempt in caught.value.attempts if attempt.outcome == "failed"] == expected


@pytest.mark.usefixtures("keys")
def test_without_an_order_everybody_with_a_key_is_asked(time: Time) -> None:
    manager = of_settings(time, retry_config=ONCE)
    Keyed.does[ONE] = ServerError("down")

    assert set(manager.get_available_providers()) == {"keyed", "spare"}
    assert manager.complete(HELLO).provider == "spare"


@pytest.mark.usefixtures("keys")
def test_the_preferred_one_is_first_and_the_others_follow(time: Time) -> None:
    manager = of_settings(time, {"fallback_order": ["keyed", "spare"]}, retry_config=ONCE)

    assert manager.complete(HELLO, "spare").provider == "spare"
    assert manager.complete(HELLO, preferred_provider="SPARE").provider == "spare"
    Spare.does[OTHER] = ServerError("down")
    response = manager.complete(HELLO, "spare")

    assert [(attempt.provider, attempt.outcome) for attempt in response.attempts] == [
        ("spare", "failed"),
        ("keyed", "answered"),
    ]
    assert response.attempts[0].why == "the request prefers it"


@pytest.mark.usefixtures("keys")
def test_a_preferred_one_that_is_not_in_the_order_is_asked_first(time: Time) -> None:
    manager = of_settings(time, {"fallback_order": ["keyed"]})

    assert manager.complete(HELLO, "spare").provider == "spare"


@pytest.mark.usefixtures("keys")
def test_a_model_can_be_named_with_the_preferred_one(time: Time) -> None:
    response = of_settings(time, {"fallback_order": ["keyed"]}).complete(HELLO, "spare:big:latest")

    assert response.attempts[0].model == "big:latest"


@pytest.mark.usefixtures("keys")
def test_a_preferred_one_that_nobody_has_is_a_mistake(time: Time) -> None:
    with pytest.raises(UnknownProviderError, match="keyd"):
        of_settings(time, {"fallback_order": ["keyed"]}).complete(HELLO, "keyd")
    with pytest.raises(InvalidRequestError, match="preferred_provider: 'spare' is not among the manager's: first"):
        managed(Says("first"), time=time).complete(HELLO, "spare")
    assert (Keyed.asked, Spare.asked) == ([], [])


def test_a_preferred_one_without_a_key_is_passed_over(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", ONE)

    response = of_settings(time, {"fallback_order": ["keyed"]}).complete(HELLO, "openai")

    assert [(attempt.provider, attempt.outcome, attempt.error) for attempt in response.attempts] == [
        ("openai", "skipped", "key_missing"),
        ("keyed", "answered", None),
    ]


@pytest.mark.usefixtures("keys")
def test_a_name_in_the_order_that_nobody_has_stops_nobody(time: Time) -> None:
    response = of_settings(time, {"fallback_order": ["nobody_at_all", "keyed"]}).complete(HELLO)

    assert [(attempt.provider, attempt.outcome, attempt.error) for attempt in response.attempts] == [
        ("nobody_at_all", "skipped", "unknown_provider"),
        ("keyed", "answered", None),
    ]


@pytest.mark.usefixtures("keys")
def test_a_provider_whose_making_fails_stops_nobody(time: Time) -> None:
    def broken(api_key: str) -> LLMProviderInterface:
        raise ImportError(f"no module named its_own_sdk ({len(api_key)})")

    ProviderFactory.register("broken", broken)
    try:
        response = of_settings(time, {"fallback_order": ["broken", "keyed"]}).complete(HELLO)
    finally:
        ProviderFactory.unregister("broken")

    assert [(attempt.provider, attempt.outcome) for attempt in response.attempts] == [
        ("broken", "skipped"),
        ("keyed", "answered"),
    ]


@pytest.mark.usefixtures("keys")
def test_the_settings_file_counts_from_the_next_request_on(time: Time) -> None:
    manager = of_settings(time)
    APIKeyManager().set_fallback_order(["keyed", "spare"])
    assert manager.complete(HELLO).provider == "keyed"

    APIKeyManager().set_active_provider("spare")
    assert manager.complete(HELLO).provider == "spare"
    assert manager.get_recommended_provider_order() == ["spare", "keyed"]


def test_an_empty_list_of_providers_is_refused(time: Time) -> None:
    with pytest.raises(InvalidRequestError, match="providers: is empty"):
        LLMManager(providers=[])
    with pytest.raises(InvalidRequestError, match="providers: must be of providers and names of providers, got int"):
        LLMManager(providers=[3])  # type: ignore[list-item]  # that is what is tried
    with pytest.raises(UnknownProviderError):
        managed("nobody_at_all", time=time)


# ------------------------------------------------------------------------------------------------- no key


@pytest.mark.parametrize("pinned", [None, "openai", "anthropic"])
@pytest.mark.parametrize("how", ["complete", "stream", "acomplete", "astream"])
async def test_no_key_anywhere_is_an_error_at_once_and_nothing_is_sent(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch, how: str, pinned: str | None
) -> None:
    for variable in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, loopback.url)  # whoever sends something sends it there
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked for something"))
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("somebody was asked for a key"))
    manager = LLMManager(APIKeyManager())

    async def ask() -> object:
        match how:
            case "complete":
                return manager.complete(HELLO, pinned)
            case "stream":
                return list(manager.complete_stream(HELLO, pinned))
            case "acomplete":
                return await manager.acomplete(HELLO, pinned)
        return [piece async for piece in manager.acomplete_stream(HELLO, pinned)]

    with pytest.raises(APIKeyMissingError, match="homeostasis llm set-key") as caught:
        await ask()

    assert (loopback.requests, loopback.connections) == ([], 0)
    assert "\n" not in str(caught.value)
    assert manager.get_available_providers() == []
    assert {attempt.outcome for attempt in caught.value.attempts} == {"skipped"}


# ------------------------------------------------------------------------------------------------- keys that change

ORDER = {"fallback_order": ["keyed"]}


def test_a_key_in_the_environment_that_changes_counts_at_once(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = of_settings(time, ORDER)
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", ONE)
    assert manager.complete(HELLO).content == f"answered with {ONE}"

    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", OTHER)
    assert manager.complete(HELLO).content == f"answered with {OTHER}"

    monkeypatch.delenv("HOMEOSTASIS_KEYED_API_KEY")
    with pytest.raises(APIKeyMissingError, match="keyed has no key: run `homeostasis llm set-key keyed`"):
        manager.complete(HELLO)
    assert Keyed.asked == [ONE, OTHER]


def test_a_key_that_is_stored_changed_and_removed_counts_at_once(time: Time) -> None:
    keys = APIKeyManager()
    manager = of_settings(time, ORDER, api_key_manager=keys)
    with pytest.raises(APIKeyMissingError):
        manager.complete(HELLO)

    for key in (ONE, OTHER):
        keys.set_key("keyed", key, validate=False)
        assert manager.complete(HELLO).content == f"answered with {key}"
    keys.remove_key("keyed")
    with pytest.raises(APIKeyMissingError):
        manager.complete(HELLO)
    assert Keyed.asked == [ONE, OTHER]


def test_whoever_has_not_changed_keeps_the_connections(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def maker(api_key: str) -> LLMProviderInterface:
        made.append(api_key)
        return Keyed(api_key)

    ProviderFactory.register("keyed", maker, replace=True)
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", ONE)
    manager = of_settings(time, ORDER)
    for value in ("1", "2", "3"):
        monkeypatch.setenv("SOMETHING_ELSE", value)
        manager.complete(HELLO)

    assert made == [ONE]


def test_who_is_available_changes_with_the_keys(time: Time) -> None:
    keys = APIKeyManager()
    manager = of_settings(time, api_key_manager=keys)
    assert manager.get_available_providers() == []

    keys.set_key("keyed", ONE, validate=False)
    assert manager.get_available_providers() == ["keyed"]
    keys.remove_key("keyed")
    assert manager.get_available_providers() == []


def test_a_refused_key_is_looked_up_again_and_the_new_one_is_used_by_the_same_request(time: Time) -> None:
    """Another program has changed the key in the keyring, which nobody told this one."""
    import keyring

    store_key("keyed", SecretStr(ONE))
    manager = of_settings(time, ORDER)
    manager.complete(HELLO)
    Keyed.does[ONE] = AuthenticationError("revoked", status_code=401)
    service, user = next(iter(vars(keyring.get_keyring())["_stored"]))
    keyring.set_password(service, user, OTHER)

    response = manager.complete(HELLO)

    assert response.content == f"answered with {OTHER}"
    assert [attempt.outcome for attempt in response.attempts] == ["failed", "answered"]


def test_a_wrong_key_rests_until_it_is_another(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", ONE)
    Keyed.does[ONE] = AuthenticationError("wrong key", status_code=401)
    manager = of_settings(time, ORDER)
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            manager.complete(HELLO)
    assert Keyed.asked == [ONE]

    monkeypatch.setenv("HOMEOSTASIS_KEYED_API_KEY", OTHER)
    assert manager.complete(HELLO).content == f"answered with {OTHER}"


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("wrong key", status_code=401),
        QuotaExceededError("no money", status_code=429),
        RateLimitError("slow down", status_code=429),
        RateLimitError("slow down", status_code=429, retry_after=2.0),
    ],
    ids=["wrong", "quota", "rate", "rate with a time"],
)
def test_the_next_key_is_tried_before_the_next_provider_and_kept_to(time: Time, error: LLMError) -> None:
    for label, key in ((None, ONE), ("backup", OTHER), ("third", THIRD)):
        store_key("keyed", SecretStr(key), label)
    Keyed.does[ONE] = error
    APIKeyManager().set_fallback_order(["keyed", "spare"])
    manager = of_settings(time)

    response = manager.complete(HELLO)
    again = manager.complete(HELLO)

    assert (response.content, again.content) == (f"answered with {OTHER}", f"answered with {OTHER}")
    assert (Keyed.asked, time.waits) == ([ONE, OTHER, OTHER], [])
    done = [(attempt.key, attempt.outcome) for attempt in response.attempts if attempt.outcome != "skipped"]
    assert done == [("", "failed"), ("backup", "answered")]


def test_a_key_that_was_too_fast_is_waited_for_where_the_others_are_wrong(time: Time) -> None:
    for label, key in ((None, ONE), ("backup", OTHER)):
        store_key("keyed", SecretStr(key), label)
    Keyed.does[ONE] = [RateLimitError("slow down", retry_after=3.0), "at last"]
    Keyed.does[OTHER] = AuthenticationError("wrong key")
    APIKeyManager().set_fallback_order(["keyed"])

    assert of_settings(time).complete(HELLO).content == "at last"
    assert (Keyed.asked, time.waits) == ([ONE, OTHER, ONE], [3.0])


def test_keys_that_are_all_too_fast_are_not_asked_for_ever(time: Time) -> None:
    for label, key in ((None, ONE), ("backup", OTHER)):
        store_key("keyed", SecretStr(key), label)
        Keyed.does[key] = RateLimitError("slow down", retry_after=1.0)
    APIKeyManager().set_fallback_order(["keyed"])

    with pytest.raises(RateLimitError):
        of_settings(time).complete(HELLO)

    assert len(Keyed.asked) <= 4


def test_all_keys_are_tried_before_the_next_provider(time: Time) -> None:
    for label, key in ((None, ONE), ("backup", OTHER)):
        store_key("keyed", SecretStr(key), label)
        Keyed.does[key] = QuotaExceededError("no money")
    store_key("spare", SecretStr(THIRD))
    APIKeyManager().set_fallback_order(["keyed", "spare"])

    response = of_settings(time).complete(HELLO)

    assert [(attempt.provider, attempt.key) for attempt in response.attempts] == [
        ("keyed", ""),
        ("keyed", "backup"),
        ("spare", ""),
    ]


def test_each_key_has_its_own_health(time: Time) -> None:
    for label, key in ((None, ONE), ("backup", OTHER)):
        store_key("keyed", SecretStr(key), label)
    Keyed.does[ONE] = AuthenticationError("wrong key")
    APIKeyManager().set_fallback_order(["keyed"])
    manager = of_settings(time)

    manager.complete(HELLO)

    targets = manager.get_provider_health_metrics()["keyed"]["targets"]
    assert {target["key"]: target["state"] for target in targets} == {None: "resting", "backup": "closed"}


def test_a_key_that_is_removed_is_not_used(time: Time) -> None:
    for label, key in ((None, ONE), ("backup", OTHER)):
        store_key("keyed", SecretStr(key), label)
    Keyed.does[ONE] = QuotaExceededError("no money")
    APIKeyManager().set_fallback_order(["keyed"])
    manager = of_settings(time)
    manager.complete(HELLO)

    forget_key("keyed", "backup")
    with pytest.raises(QuotaExceededError):
        manager.complete(HELLO)

    assert Keyed.asked == [ONE, OTHER]


def test_the_folder_of_the_key_manager_has_the_settings(time: Time, tmp_path: Path) -> None:
    store_key("keyed", SecretStr(ONE))
    store_key("spare", SecretStr(OTHER))
    keys = APIKeyManager(config_dir=tmp_path)
    keys.set_active_provider("spare")
    keys.set_enable_fallback(False)
    Spare.does[OTHER] = ServerError("down")
    APIKeyManager().set_active_provider("keyed")

    with pytest.raises(ServerError):
        of_settings(time, api_key_manager=keys, retry_config=ONCE).complete(HELLO)
    assert of_settings(time, retry_config=ONCE).complete(HELLO).provider == "keyed"


def test_a_key_set_for_one_folder_reaches_the_manager_of_it(time: Time, tmp_path: Path) -> None:
    keys = APIKeyManager(config_dir=tmp_path)
    manager = of_settings(time, api_key_manager=keys)
    keys.set_key("keyed", ONE, validate=False)
    keys.set_key("keyed", OTHER, validate=False, label="backup")
    Keyed.does[ONE] = QuotaExceededError("no money")

    assert manager.complete(HELLO).content == f"answered with {OTHER}"


def test_given_settings_name_the_keys_and_where_they_are(time: Time, tmp_path: Path) -> None:
    store_key("keyed", SecretStr(ONE))
    store_key("keyed", SecretStr(OTHER), "backup")
    APIKeyManager(config_dir=tmp_path).set_fallback_order(["spare"])
    (tmp_path / "spare.key").write_text(THIRD)
    own = {
        "fallback_order": ["keyed", "spare"],
        "providers": {
            "keyed": {"key_labels": ["backup", "default"]},
            "spare": {"api_key_file": str(tmp_path / "spare.key")},
        },
    }
    Keyed.does.update(dict.fromkeys((ONE, OTHER), QuotaExceededError("no money")))

    for keys in (None, APIKeyManager(config_dir=tmp_path)):
        response = of_settings(time, own, api_key_manager=keys).complete(HELLO)

        assert response.content == f"answered with {THIRD}"
        assert [attempt.key for attempt in response.attempts] == ["backup", "", ""]


def test_given_settings_say_who_is_available(time: Time, tmp_path: Path) -> None:
    (tmp_path / "spare.key").write_text(THIRD)
    own = {"providers": {"spare": {"api_key_file": str(tmp_path / "spare.key")}}}

    assert of_settings(time, own).get_available_providers() == ["spare"]
    assert of_settings(time).get_available_providers() == []


# ------------------------------------------------------------------------------------------------- copies, threads


@pytest.mark.usefixtures("keys")
def test_a_pickled_manager_has_no_key_and_finds_it_again(time: Time) -> None:
    APIKeyManager().set_fallback_order(["keyed"])
    manager = LLMManager(retry_config=RetryConfig(max_retries=1), on_break="continue", state="memory")
    manager.complete(HELLO)

    frozen = pickle.dumps(manager)
    twin = pickle.loads(frozen)  # noqa: S301  # our own

    assert ONE.encode() not in frozen
    assert twin.complete(HELLO).content == f"answered with {ONE}"
    assert twin.on_break == "continue"
    assert twin is not manager
    _ = time


def test_pickles_of_given_providers_hold_no_key_either() -> None:
    manager = LLMManager(providers=[ProviderFactory.create_provider("openai", ONE, base_url="http://127.0.0.1:9/v1")])

    frozen = pickle.dumps(manager)

    assert ONE.encode() not in frozen
    assert pickle.loads(frozen).get_available_providers() == ["openai"]  # noqa: S301  # our own


@pytest.mark.usefixtures("keys")
def test_a_copy_knows_nothing_of_what_happened_to_its_original(time: Time) -> None:
    APIKeyManager().set_fallback_order(["keyed", "spare"])
    Keyed.does[ONE] = [AuthenticationError("wrong key"), "better"]
    manager = of_settings(time)
    assert manager.complete(HELLO).provider == "spare"

    for twin in (copy.copy(manager), copy.deepcopy(manager)):
        assert twin.complete(HELLO).provider == "keyed"
        assert manager.complete(HELLO).provider == "spare"


@pytest.mark.usefixtures("keys")
def test_one_manager_serves_many_threads(time: Time) -> None:
    APIKeyManager().set_fallback_order(["keyed", "spare"])
    Keyed.does[ONE] = ServerError("down")
    manager = LLMManager(retry_config=ONCE, state="memory")
    barrier = Barrier(16)
    _ = time

    def ask(number: int) -> list[str]:
        barrier.wait(20)
        if number % 2:
            return [manager.complete(HELLO).provider for _ in range(20)]
        return ["".join(piece.provider for piece in list(manager.complete_stream(HELLO))[-1:]) for _ in range(20)]

    with ThreadPoolExecutor(16) as pool:
        answers = [name for names in pool.map(ask, range(16)) for name in names]

    assert answers == ["spare"] * 320
    assert 5 <= len(Keyed.asked) <= 5 + 16


@pytest.mark.usefixtures("keys")
def test_one_manager_serves_several_event_loops_and_tasks(time: Time) -> None:
    APIKeyManager().set_fallback_order(["keyed", "spare"])
    Keyed.does[ONE] = ServerError("down")
    manager = LLMManager(retry_config=ONCE, state="memory")
    _ = time

    async def many() -> list[str]:
        return [response.provider for response in await asyncio.gather(*(manager.acomplete(HELLO) for _ in range(10)))]

    with ThreadPoolExecutor(4) as pool:
        answers = [name for names in pool.map(lambda _: asyncio.run(many()), range(8)) for name in names]

    assert answers == ["spare"] * 80


def test_making_a_manager_does_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "homeostasis_llm.manager.roster.find_keys", lambda *_: pytest.fail("a key was looked for before it is needed")
    )

    LLMManager()
    LLMManager(APIKeyManager())

    assert not [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("keys")
def test_a_summary_of_a_manager_that_was_never_asked_can_be_had(time: Time) -> None:
    APIKeyManager().set_fallback_order(["keyed", "spare"])

    summary = of_settings(time).get_provider_status_summary()

    assert summary["order"] == summary["healthy_providers"] == ["keyed", "spare"]
    assert summary["providers"] == {}
    assert Keyed.asked == []


@pytest.mark.usefixtures("keys")
def test_an_order_can_be_made_and_stored(time: Time) -> None:
    manager = of_settings(time)

    order = manager.auto_configure_fallback_order()

    assert set(order) == {"keyed", "spare"}
    assert manager.get_recommended_provider_order() == order
    with pytest.raises(InvalidRequestError, match="has its providers from a list"):
        managed(Says("first"), time=time).auto_configure_fallback_order()


@pytest.mark.usefixtures("keys")
def test_everybody_without_an_answer_is_told_of(time: Time) -> None:
    APIKeyManager().set_fallback_order(["keyed", "spare", "openai"])
    for kind in (Keyed, Spare):
        kind.does.update(dict.fromkeys((ONE, OTHER), ServerError("down")))

    with pytest.raises(AllProvidersFailedError) as caught:
        of_settings(time, retry_config=ONCE).complete(HELLO)

    assert {name: type(error).__name__ for name, error in caught.value.errors.items()} == {
        "keyed": "ServerError",
        "spare": "ServerError",
        "openai": "APIKeyMissingError",
    }

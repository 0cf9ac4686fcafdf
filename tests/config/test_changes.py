"""Single settings are changed by name; what is written is what was asked for, and nothing else is touched."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostasis_llm import InvalidRequestError, ProviderFactory, Timeout, UnknownProviderError
from homeostasis_llm.catalog import canonical_name
from homeostasis_llm.config import (
    ConfigError,
    SecretReference,
    Settings,
    load_settings,
    set_active_provider,
    set_enable_fallback,
    set_fallback_order,
    set_openrouter_unified,
    set_provider_policies,
    set_provider_settings,
    set_values,
)
from tests.config.conftest import Write

known = ProviderFactory.describe


def test_the_active_provider_is_set_by_any_of_its_names(place: Path) -> None:
    assert set_active_provider("Claude", known=known, path=place).active_provider == "anthropic"
    assert load_settings(place).active_provider == "anthropic"


@pytest.mark.parametrize("auto", [None, "auto", "AUTO"])
def test_the_active_provider_may_be_left_to_chance(auto: str | None, write: Write) -> None:
    path = write('active_provider = "openai" # for now\n')

    assert set_active_provider(auto, known=known, path=path).active_provider is None

    assert path.read_text(encoding="utf-8") == 'active_provider = "auto" # for now\n'


def test_the_order_is_set_by_any_names(place: Path) -> None:
    order = set_fallback_order(["OpenAI", "claude", "openai"], known=known, path=place).fallback_order

    assert order == ("openai", "anthropic")
    assert load_settings(place).fallback_order == order


def test_there_may_be_nobody_in_the_order(place: Path) -> None:
    set_fallback_order([], known=known, path=place)

    assert load_settings(place).fallback_order == ()


def test_a_name_that_nobody_has_is_refused(place: Path) -> None:
    with pytest.raises(UnknownProviderError, match="'opnai'; did you mean 'openai'"):
        set_active_provider("opnai", known=known, path=place)
    with pytest.raises(UnknownProviderError, match="'opnai'"):
        set_fallback_order(["openai", "opnai"], known=known, path=place)
    with pytest.raises(UnknownProviderError, match="'opnai'"):
        set_provider_settings("opnai", known=known, path=place, timeout=3)

    assert not place.exists()


def test_policies_that_are_not_given_stay(place: Path) -> None:
    set_provider_policies(cost="low", path=place)
    set_provider_policies(latency="high", path=place)

    assert load_settings(place).provider_policies.model_dump() == {
        "cost": "low",
        "latency": "high",
        "reliability": "high",
    }


def test_a_policy_that_does_not_exist_is_refused(place: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r'^provider_policies.latency: must be "low", .* found "medium"$'):
        set_provider_policies(latency="medium", path=place)


def test_fallback_is_switched_off_and_on(place: Path) -> None:
    assert set_enable_fallback(False, path=place).enable_fallback is False
    assert set_enable_fallback(True, path=place).enable_fallback is True


def test_what_is_no_truth_value_is_refused(place: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r'^enable_fallback: must be true or false, found "no"$'):
        set_enable_fallback("no", path=place)  # type: ignore[arg-type]  # as untyped code may


def test_openrouter_stands_in_for_those_it_is_told_to(write: Write) -> None:
    path = write('[openrouter_unified]\nproviders = ["Claude", "openai", "mistral"] # all of these\n')

    unified = set_openrouter_unified(True, proxy_to_openai=False, path=path).openrouter_unified

    assert (unified.enabled, unified.providers) == (True, ("anthropic", "mistral"))
    assert (unified.proxy_to_anthropic, unified.proxy_to_openai) == (True, False)

    unified = set_openrouter_unified(False, proxy_to_openai=True, path=path).openrouter_unified

    assert (unified.enabled, unified.providers) == (False, ("anthropic", "mistral", "openai"))
    assert (unified.proxy_to_anthropic, unified.proxy_to_openai) == (True, True)


def test_openrouter_is_switched_on_without_naming_anybody(place: Path) -> None:
    set_openrouter_unified(True, path=place)

    assert place.read_text(encoding="utf-8") == "[openrouter_unified]\nenabled = true\n"
    assert load_settings(place).openrouter_unified.providers == ("anthropic", "openai")


def test_openrouter_need_not_stand_in_for_either(place: Path) -> None:
    set_openrouter_unified(True, proxy_to_anthropic=False, proxy_to_openai=False, path=place)

    assert load_settings(place).openrouter_unified.providers == ()


def test_whatever_a_provider_can_be_told_can_be_set_and_taken_away(place: Path) -> None:
    given: dict[str, Any] = {
        "base_url": "https://example.com",
        "default_model": "m",
        "timeout": Timeout(connect=2.0),
        "headers": {"X-Team": "blue"},
        "model_map": {"a": "b"},
        "api_version": "1",
        "api_key_file": place,
        "api_key_command": ("op", "read", "x"),
        "api_key_secret": SecretReference("vault", "secret/llm", "openai"),
        "key_labels": ("main", "backup"),
    }

    own = set_provider_settings("OpenAI", known=known, path=place, **given).provider("openai")
    assert {name: getattr(own, name) for name in given} == given
    assert load_settings(place).provider("openai") == own

    own = set_provider_settings("openai", known=known, path=place, **dict.fromkeys(given)).provider("openai")
    assert own == Settings().provider("openai")


def test_a_table_that_spells_the_provider_in_another_way_is_the_one_that_is_changed(write: Write) -> None:
    path = write("[providers.Claude]\ntimeout = 1\n")

    set_provider_settings("anthropic", known=known, path=path, timeout=2)

    assert path.read_text(encoding="utf-8") == "[providers.Claude]\ntimeout = 2\n"


def test_what_is_not_there_can_be_taken_away(write: Write) -> None:
    path = write("# nothing\n")

    set_values({("providers", "openai", "timeout"): None, ("active_provider",): None}, path)

    assert path.read_text(encoding="utf-8") == "# nothing\n"


def test_a_setting_that_does_not_exist_is_refused(place: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"^providers.openai.tiemout: is unknown; did you mean timeout\?$"):
        set_provider_settings("openai", known=known, path=place, tiemout=3)


def test_a_key_is_refused_and_not_repeated(place: Path) -> None:
    key = "0b8c7d3e-a-key-that-nobody-knows"

    with pytest.raises(InvalidRequestError, match="no key belongs in this file") as caught:
        set_provider_settings("openai", known=known, path=place, api_key=key)

    assert key not in str(caught.value)
    assert not place.exists()


# However the file is written

LAYOUTS = {
    "inline tables": """\
# comment
providers = { Claude = { timeout = 1 }, openai = { timeout = { total = 3 }, model_map = { a = "b" } } }
# comment
provider_policies = { cost = "low" }
""",
    "dotted keys in tables": """\
# comment
[providers]
openai.timeout.total = 3
# comment
Claude.timeout = 1
[provider_policies]
cost = "low"
""",
    "tables in pieces": """\
[providers.openai.timeout]
total = 3
# comment
[provider_policies]
cost = "low"
[providers.Claude]
timeout = 1
# comment
[providers.openai]
default_model = "x"
[providers.openai.model_map]
a = "b"
""",
    "tables that say nothing": "[providers]\n# comment\n[providers.openai]\n# comment\n",
    "no end of the last line": "active_provider = 'x' # comment\n[providers.openai] # comment\ndefault_model = 'm'",
    "indentation": """\
# comment
  [providers]
    [providers.openai]
      timeout = 3
# comment
  [provider_policies]
    cost = "low"
""",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("steps", "value"),
    [
        (("active_provider",), "groq"),
        (("fallback_order",), ["openai", "groq"]),
        (("provider_policies", "cost"), "high"),
        (("provider_policies", "cost"), None),
        (("provider_policies", "latency"), "high"),
        (("openrouter_unified", "enabled"), True),
        (("providers", "openai", "timeout"), {"connect": 1}),
        (("providers", "openai", "timeout"), None),
        (("providers", "openai", "model_map", "a"), None),
        (("providers", "openai", "key_labels"), ["x"]),
        (("providers", "anthropic", "timeout"), 4),
        (("providers", "groq", "timeout"), 4),
        (("providers", "groq", "headers"), {"X-A": "b"}),
    ],
)
def test_a_change_does_what_it_says_in_any_layout(
    layout: str, steps: tuple[str, ...], value: object, write: Write
) -> None:
    path = write(LAYOUTS[layout])
    expected = in_one_spelling(tomllib.loads(LAYOUTS[layout]))
    apply(expected, steps, value)

    set_values({steps: value}, path)

    written = path.read_text(encoding="utf-8")
    assert without_empty(in_one_spelling(tomllib.loads(written))) == without_empty(expected)
    assert written.count("# comment") == 2


def test_a_comment_outlives_the_table_it_stands_in(write: Write) -> None:
    path = write("[providers.openai.timeout]\n# inside\ntotal = 3\n\n# about what comes next\n[providers.groq]\n")

    set_provider_settings("openai", known=known, path=path, timeout=7)

    written = path.read_text(encoding="utf-8")
    assert load_settings(path).provider("openai").timeout == 7
    assert ("# inside\n" in written, "# about what comes next\n" in written) == (True, True)


def test_a_timeout_of_which_all_is_taken_away_is_none(write: Write) -> None:
    path = write("[providers.openai.timeout]\ntotal = 3\n")

    own = set_provider_settings("openai", known=known, path=path, timeout=None).provider("openai")

    assert own.timeout is None


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        (("providers", "groq", "timeout"), 4),
        (("providers", "groq", "headers"), {"X-A": "b"}),
        (("providers", "openai", "model_map", "b"), "c"),
    ],
)
def test_a_file_that_would_be_damaged_is_left_alone(steps: tuple[str, ...], value: object, write: Write) -> None:
    text = "providers.openai.timeout.total = 3\nproviders.anthropic.timeout = 1\nprovider_policies.cost = 'low'\n"
    path = write(text)
    changed = tomllib.loads(text)
    apply(changed, steps, value)

    # What tomlkit makes of these today is no TOML, or says something else.
    refused = pytest.raises(ConfigError, match="cannot be changed without damage")
    with contextlib.suppress(pytest.fail.Exception), refused:
        set_values({steps: value}, path)

    assert path.read_text(encoding="utf-8") == text or tomllib.loads(path.read_text(encoding="utf-8")) == changed


# Any file, any change

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=8).filter(str.strip)
"""tomllib makes a carriage return in a text a line break, as TOML allows."""

NAMES = st.sampled_from(["openai", "Claude", "my-llm", "x.y", "GROQ"])
LEVELS = st.sampled_from(["low", "balanced", "high"])
SECONDS = st.floats(0.001, 1000) | st.integers(1, 1000)
PROVIDERS = st.dictionaries(
    NAMES,
    st.fixed_dictionaries(
        {},
        optional={
            "default_model": TEXT,
            "base_url": st.just("https://example.com/v1"),
            "model_map": st.dictionaries(TEXT, TEXT, max_size=2),
            "timeout": SECONDS | st.dictionaries(st.sampled_from(["connect", "total"]), SECONDS, max_size=2),
            "key_labels": st.lists(TEXT, max_size=3, unique=True),
            "headers": st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.just("value"), max_size=2),
        },
    ),
    max_size=3,
)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "active_provider": NAMES,
        "fallback_order": st.lists(NAMES, max_size=4),
        "enable_fallback": st.booleans(),
        "provider_policies": st.fixed_dictionaries({}, optional={"cost": LEVELS, "latency": LEVELS}),
        "openrouter_unified": st.fixed_dictionaries({}, optional={"enabled": st.booleans()}),
        "providers": PROVIDERS,
    },
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just(("active_provider",)), NAMES | st.none()),
        st.tuples(st.just(("fallback_order",)), st.lists(NAMES, max_size=3)),
        st.tuples(st.just(("enable_fallback",)), st.booleans() | st.none()),
        st.tuples(st.just(("provider_policies", "cost")), LEVELS | st.none()),
        st.tuples(st.just(("providers", "openai", "timeout")), SECONDS | st.just({"total": 3}) | st.none()),
        st.tuples(st.just(("providers", "x.y", "model_map", "a b")), TEXT | st.none()),
        st.tuples(st.just(("providers", "anthropic", "default_model")), TEXT | st.none()),
    ),
    max_size=6,
)


@settings(deadline=None)  # a disk takes the time it takes
@given(FILES)
def test_what_is_written_is_what_is_read(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(tomlkit.dumps(document), encoding="utf-8", newline="")

        assert load_settings(path) == Settings.model_validate(document)


@settings(deadline=None)  # a disk takes the time it takes
@given(FILES, CHANGES, st.booleans())
def test_any_change_changes_what_it_names_and_nothing_else(
    document: dict[str, Any], changes: list[tuple[tuple[str, ...], Any]], windows: bool
) -> None:
    lines = tomlkit.dumps(document).split("\n")
    numbers = itertools.count()
    # Not after a value, whose comment goes with it, and not into a text of several lines, of which tomlkit writes none.
    text = "\n".join(itertools.chain.from_iterable((f"# comment {next(numbers)}", line) for line in lines))
    text = text.replace("\n", "\r\n") if windows else text
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(text, encoding="utf-8", newline="")
        expected = in_one_spelling(tomllib.loads(text))
        for steps, value in changes:
            set_values({steps: value}, path)
            apply(expected, steps, value)

            written = path.read_bytes().decode()
            assert without_empty(in_one_spelling(tomllib.loads(written))) == without_empty(expected)
            kept = [line.strip() for line in written.split("\n") if line.startswith("# comment")]
            # In whatever order: those of a table that becomes a number move to the end.
            assert sorted(kept) == sorted(f"# comment {number}" for number in range(len(lines)))
            assert load_settings(path) == Settings.model_validate(tomllib.loads(written))


def apply(document: dict[str, Any], steps: tuple[str, ...], value: object) -> None:
    """Make one change to plain dicts."""
    *tables, last = steps
    for step in tables:
        document = document.setdefault(step, {})
    if value is None:
        document.pop(last, None)
    else:
        document[last] = value


def in_one_spelling(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with each provider's table under the one spelling of its name."""
    tables = {canonical_name(name): table for name, table in document.get("providers", {}).items()}
    return {**document, "providers": tables}


def without_empty(document: dict[str, Any]) -> dict[str, Any]:
    """`document` without tables that say nothing."""
    kept = {key: without_empty(found) if isinstance(found, dict) else found for key, found in document.items()}
    return {key: found for key, found in kept.items() if found != {}}

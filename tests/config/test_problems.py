"""Whatever is wrong with a settings file is told in one line: where, what was found, what is allowed."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest

from homeostasis_llm import ErrorType, LLMError
from homeostasis_llm.config import ConfigError, load_settings, set_enable_fallback
from tests.config.conftest import Write

KEY = "fe0fc28950a5498ab3a1f3b8d2d4ee61"
"""A key whose looks give nothing away."""

UNKNOWN = "9d0c5f8f3f6e4b7a8f0b1c2d3e4f5a6b"
"""Another such, which nothing here ever finds out to be one."""

LOOKS = "sk-proj-0123456789abcdefghij"
"""What looks like a key."""

ALL = (
    "api_key_command, api_key_file, api_key_secret, api_version, auth, base_url, context_window, default_model, "
    "dialect, env, headers, key_labels, key_prefix, key_url, max_concurrent, model_map, models_path, models_public, "
    "prices, requests_per_minute, spend_per_day, spend_per_month, timeout, title, tokens_per_minute"
)
WAITS = "connect, first_byte, between_chunks, total"
NO_URL = "base_url: must begin with https:// or http:// and a host"
NO_SECRET = (
    "api_key_secret: must be aws-secretsmanager:NAME, aws-secretsmanager:NAME#FIELD, vault:PATH#FIELD or "
    "azure-keyvault:NAME"
)


def no_key(whose: str) -> str:
    return f"no key belongs in this file; store it with `homeostasis llm set-key {whose}` and delete it here"


def problems_of(path: Path) -> list[str]:
    """The problems of the file at `path`, without its name."""
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert all(problem.startswith(str(path)) for problem in caught.value.problems)
    assert "\n" not in "".join(caught.value.problems)
    return [problem.removeprefix(str(path)).removeprefix(", ") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("active_provider = openai", "line 1: is no TOML: invalid value; a text stands in quotes"),
        ("\n\na = [1,\n", "line 3: is no TOML: invalid value"),
        ("enable_fallback = true\nenable_fallback = true", "line 2: is no TOML: cannot overwrite a value"),
        ("actve_provider = 'x'", "line 1: actve_provider: is unknown; did you mean active_provider?"),
        ("[OpenAI]\n", "line 1: OpenAI: is unknown; did you mean [providers.OpenAI]?"),
        ("active_provider = 3", "line 1: active_provider: must be a string, found 3"),
        ("active_provider = 1979-05-27", "line 1: active_provider: must be a string, found 1979-05-27"),
        ("active_provider = ' '", 'line 1: active_provider: must name a provider, found " "'),
        ("enable_fallback = 'yes'", 'line 1: enable_fallback: must be true or false, found "yes"'),
        ("enable_fallback = 1", "line 1: enable_fallback: must be true or false, found 1"),
        ("fallback_order = 'openai'", 'line 1: fallback_order: must be an array, found "openai"'),
        ("\nfallback_order = [\n'openai',\n3,\n]", "line 2: fallback_order[1]: must be a string, found 3"),
        ("providers = 3", "line 1: providers: must be a table, found 3"),
        ("providers = [{ openai = 3 }]", "line 1: providers: must be a table, found an array"),
        ("[providers]\nopenai = 3", "line 2: providers.openai: must be a table, found 3"),
        ("[providers.'']", 'line 1: providers."": must name a provider, found a table'),
        (
            "[providers.google]\n[providers.gemini]",
            "line 2: providers.gemini: is the same provider as google; keep one of the two",
        ),
        (
            "[provider_policies]\n# a note\ncost = 'medium'",
            'line 3: provider_policies.cost: must be "low", "balanced" or "high", found "medium"',
        ),
        (
            "\n[provider_policies]\ncost_preference = 'low'",
            "line 3: provider_policies.cost_preference: is unknown; did you mean cost?",
        ),
        (
            "[provider_policies]\nzzz = 1",
            "line 2: provider_policies.zzz: is unknown; there may be cost, latency, reliability",
        ),
        (
            "[openrouter_unified]\nproxy_to_openai = true",
            "line 2: openrouter_unified.proxy_to_openai: is unknown; did you mean providers?",
        ),
        (f"openai_api_key = '{KEY}'", f"line 1: openai_api_key: {no_key('PROVIDER')}"),
    ],
)
def test_a_problem_is_told_with_its_line(text: str, problem: str, write: Write) -> None:
    assert problems_of(write(text)) == [problem]


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("Base-Url = 'http://x'", "Base-Url: is unknown; did you mean base_url?"),
        ("zzz = 1", f"zzz: is unknown; there may be {ALL}"),
        ("max_concurrent = 1.5", "max_concurrent: must be a whole number, found 1.5"),
        ("max_concurrent = 0", "max_concurrent: must be more than 0, found 0"),
        ("spend_per_day = '5'", 'spend_per_day: must be a number, found "5"'),
        ("spend_per_day = -1", "spend_per_day: must be at least 0, found -1"),
        ("prices.m = { input = 1 }", "prices.m: needs output too"),
        ("prices.m = { input = 1, output = 2, inputs = 3 }", "prices.m.inputs: is unknown; did you mean input?"),
        ("timeout = '3'", f'timeout: must be a number of seconds, or a table of {WAITS}, found "3"'),
        ("timeout = true", f"timeout: must be a number of seconds, or a table of {WAITS}, found true"),
        ("timeout = 0", "timeout: must be more than 0, found 0"),
        ("timeout = inf", "timeout: must be a finite number, found inf"),
        ("timeout.conect = 1", "timeout.conect: is unknown; did you mean connect?"),
        ("timeout.total = '5'", 'timeout.total: must be a number of seconds, found "5"'),
        ("timeout.total = -5", "timeout.total: must be more than 0, found -5"),
        ("base_url = 'ftp://x'", f'{NO_URL}, found "ftp://x"'),
        ("base_url = 'https://'", f'{NO_URL}, found "https://"'),
        ("base_url = 'https://x:99999'", f'{NO_URL}, found "https://x:99999"'),
        ("base_url = 'https://x y'", f'{NO_URL}, found "https://x y"'),
        ("default_model = ''", 'default_model: must not be empty, found ""'),
        ("model_map = { 'gpt 4' = 4 }", 'model_map."gpt 4": must be a string, found 4'),
        ("headers.'X Y' = 'z'", 'headers."X Y": must be called as HTTP headers are: letters, digits and -'),
        ("headers.X-Y = 'a\u00e9'", "headers.X-Y: must be of printable ASCII characters"),
        ("headers.X-Y = 3", "headers.X-Y: must be a string"),
        ("key_labels = ['']", 'key_labels[0]: must not be empty, found ""'),
        # What stands here may be a key, put into the wrong place, and is not repeated.
        (f"api_key_file = '{UNKNOWN}'", "api_key_file: must be the whole path of a file, or begin with ~/"),
        ("api_key_file = 5", "api_key_file: must be a string"),
        ("api_key_command = 'op \"read'", "api_key_command: must close each quotation that it opens"),
        ("api_key_command = []", "api_key_command: must name a program"),
        ("api_key_command = ' '", "api_key_command: must name a program"),
        (f"api_key_secret = '{UNKNOWN}'", NO_SECRET),
        ("api_key_secret = 'vault:secret/llm'", NO_SECRET),
        ("api_key_secret = 5", NO_SECRET),
        # What surely is one.
        (f"api_key = '{KEY}'", f"api_key: {no_key('x')}"),
        (f"API-KEY = '{KEY}'", f"API-KEY: {no_key('x')}"),
        (f"key = ['{KEY}']", f"key: {no_key('x')}"),
        (f"access_token = '{KEY}'", f"access_token: {no_key('x')}"),
        (f"headers.authorization = 'Bearer {KEY}'", f"headers.authorization: {no_key('x')}"),
        (f"headers.X-A = 'Bearer {LOOKS}'", f"headers.X-A: {no_key('x')}"),
        (f"base_url = 'https://{KEY}@host/v1'", f"base_url: {no_key('x')}"),
        (f"base_url = 'https://host/v1?key={LOOKS}'", f"base_url: {no_key('x')}"),
        (f"api_key_file = '{LOOKS}'", f"api_key_file: {no_key('x')}"),
        (f"api_key_command = '{LOOKS}'", f"api_key_command: {no_key('x')}"),
        (f"api_key_secret = '{LOOKS}'", f"api_key_secret: {no_key('x')}"),
    ],
)
def test_a_problem_of_a_provider_is_told_with_its_line(setting: str, problem: str, write: Write) -> None:
    assert problems_of(write(f"[providers.x]\n{setting}")) == [f"line 2: providers.x.{problem}"]


def test_a_long_value_is_not_repeated_whole(write: Write) -> None:
    (problem,) = problems_of(write(f'enable_fallback = "{"x" * 500}"\n'))
    assert len(problem) < 120
    assert problem.endswith('xxx…"')


def test_all_problems_are_told_the_first_line_first(write: Write) -> None:
    path = write("zzz = 1\n[providers.x]\ntimeout = 'a'\n[provider_policies]\ncost = 1\n")

    with pytest.raises(ConfigError) as caught:
        load_settings(path)

    error = caught.value
    assert [problem.split(": ")[1] for problem in error.problems] == [
        "zzz",
        "providers.x.timeout",
        "provider_policies.cost",
    ]
    assert error.message == f"{error.problems[0]} (and 2 more)"
    assert (error.path, error.line, error.key) == (str(path), 1, "zzz")


def test_text_in_another_encoding_is_told_with_its_line(place: Path) -> None:
    place.parent.mkdir()
    place.write_bytes("# a\n# gr\u00fcn\n".encode("latin-1"))

    assert problems_of(place) == ["line 2: is not UTF-8; save it as UTF-8 text"]


def test_a_directory_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == [": cannot be read: Is a directory"]


def test_an_error_is_of_our_own_kind_and_survives_pickling(write: Write) -> None:
    with pytest.raises(LLMError) as caught:
        load_settings(write("\nactive_provider = 3"))

    error = caught.value
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # what was just written
    assert type(again) is ConfigError
    assert again.facts() == error.facts()
    assert (again.message, again.line, again.key, again.error_type) == (
        error.message,
        2,
        "active_provider",
        ErrorType.CONFIG,
    )
    assert again.retryable is False


def test_a_key_that_was_in_the_file_is_kept_out_of_later_messages(write: Write) -> None:
    key = "c2f1-a-key-that-is-only-found-here"

    problems_of(write(f"[providers.openai]\napi_key = '{key}'"))

    assert key not in str(LLMError(f"somebody else says {key}"))


@pytest.mark.parametrize("use", [load_settings, lambda path: set_enable_fallback(False, path=path)])
@pytest.mark.parametrize(
    "text",
    [
        f"[providers.openai]\napi_key = '{KEY}'\nzzz = 1",
        f"[providers.openai]\napi_key = {KEY}",
        f"api_key_file = '{KEY}'\n[providers.openai.headers]\nAuthorization = '{KEY}'",
    ],
)
def test_no_traceback_holds_a_key_that_was_in_the_file(use: object, text: str, write: Write) -> None:
    path = write(text)

    with pytest.raises(ConfigError) as caught:
        use(path)  # type: ignore[operator]  # two functions of unlike types

    frames = [
        frame for frame, _ in traceback.walk_tb(caught.value.__traceback__) if frame.f_code.co_filename != __file__
    ]
    assert frames
    assert [frame.f_code.co_name for frame in frames if KEY in repr(frame.f_locals)] == []
    assert KEY not in repr(caught.value.__cause__)

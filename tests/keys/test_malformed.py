"""What is wrong with the text of a key, and which key is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm.keys.malformed import inspect_key

KEY = "sk-proj-AbCdEf0123456789_x-Y"

SHORTENED = "is shortened, as on pages that no longer show the whole key"


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        (f" {KEY}", "has white space around it"),
        (f"{KEY}\r\n", "has white space around it"),
        (f"\t{KEY}\N{NO-BREAK SPACE}", "has white space around it"),
        (f'"{KEY}"', "has quotes around it"),
        (f"'{KEY}'", "has quotes around it"),
        (f"`{KEY}`", "has quotes around it"),
        (f"“{KEY}”", "has quotes around it"),
        (f"„{KEY}“", "has quotes around it"),
        (f"«{KEY}»", "has quotes around it"),
        (f"{KEY}'", "has quotes around it"),
        (f"{KEY};", "ends with a comma or a semicolon"),
        (f"Bearer {KEY}", "begins with the word Bearer"),
        (f"bearer: {KEY}", "begins with the word Bearer"),
        (f"x-api-key: {KEY}", "begins with the name of a header"),
        (f"x-goog-api-key:{KEY}", "begins with the name of a header"),
        (f"OPENAI_API_KEY={KEY}", "begins with the name of a variable"),
        (f"export HF_TOKEN={KEY}", "begins with the name of a variable"),
        (f"set OPENAI_API_KEY={KEY}", "begins with the name of a variable"),
        (f"setx OPENAI_API_KEY {KEY}", "begins with the name of a variable"),
        (f"set -gx OPENAI_API_KEY {KEY}", "begins with the name of a variable"),
        (f"openai_api_key: {KEY}", "begins with the name of a variable"),
        (f"\N{ZERO WIDTH NO-BREAK SPACE}{KEY}", "holds an invisible character"),
        (f"{KEY[:9]}\N{ZERO WIDTH SPACE}{KEY[9:]}", "holds an invisible character"),
        (f"{KEY}\N{LEFT-TO-RIGHT MARK}", "holds an invisible character"),
        (f"\x1b[200~{KEY}\x1b[201~", "holds a control sequence of the terminal"),
        (f"{KEY[:10]}\n{KEY[10:]}", "has a line break inside"),
        (f"{KEY[:10]}\r\n    {KEY[10:]}", "has a line break inside"),
        (f"My key:\n{KEY}", "has a line break inside"),
        (f"My key is {KEY}", "has a space inside"),
        (KEY * 2, "holds the same twice"),
        (KEY.replace("-", "\N{NON-BREAKING HYPHEN}"), "holds a letter or a sign that no key has"),
        (KEY.replace("s", "\N{FULLWIDTH LATIN SMALL LETTER S}"), "holds a letter or a sign that no key has"),
    ],
    ids=ascii,
)
def test_what_was_pasted_along_is_named_and_the_key_found(text: str, flaw: str) -> None:
    found = inspect_key(text)

    assert found is not None
    assert found.flaws == (flaw,)
    assert found.corrected == KEY


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        (f'-H "Authorization: Bearer {KEY}"', 3),
        (f"export OPENAI_API_KEY='{KEY}'\n", 3),
        (f'$env:OPENAI_API_KEY = "{KEY}"', 2),
        (f'  "api_key": "{KEY}",\n', 4),
        (f"Authorization: Bearer {KEY}", 2),
        (f"const apiKey = '{KEY}';", 3),
    ],
    ids=ascii,
)
def test_wrappings_are_taken_off_however_many_there_are(text: str, flaws: int) -> None:
    found = inspect_key(text)

    assert found is not None
    assert len(set(found.flaws)) == len(found.flaws) == flaws
    assert found.corrected == KEY


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('""', "is empty"),
        ("\N{ZERO WIDTH SPACE}", "is empty"),
        ("sk-proj…x-Y", SHORTENED),
        ("sk-pr...x-Y", SHORTENED),
        ("sk-***************x-Y", SHORTENED),
        ("sk-••••••x-Y", SHORTENED),
        ("$OPENAI_API_KEY", "is the name of a variable, not what that holds"),
        ("${OPENAI_API_KEY}", "is the name of a variable, not what that holds"),
        ("%OPENAI_API_KEY%", "is the name of a variable, not what that holds"),
        ("{{ openai_api_key }}", "is the name of a variable, not what that holds"),
        ("$(pass show openai)", "is the name of a variable, not what that holds"),
        ("<your key>", "is a placeholder"),
        (f"{KEY} # of the team", "has a space inside"),
        (f"{KEY[:10]} {KEY[10:]}", "has a space inside"),
        (f"{KEY}\n{KEY[:-1]}Z", "has a line break inside"),
        (f"{KEY[:5]}\N{EM DASH}{KEY[5:]}", "holds a letter or a sign that no key has"),
        (KEY.replace("o", "\N{CYRILLIC SMALL LETTER O}"), "holds a letter or a sign that no key has"),
        (f"{KEY}\x00", "holds a control character"),
        (f"{KEY}\x7f", "holds a control character"),
        (KEY * 400, "is far longer than any key"),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_nothing_is_offered_where_only_its_owner_knows_the_key(text: str, flaw: str) -> None:
    found = inspect_key(text)

    assert found is not None
    assert found.flaws == (flaw,)
    assert found.corrected is None


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        "a",
        "ABSKQmVkcm9ja0FQSUtleS1hYmM=",  # Bedrock's end like that
        "eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2lnbmF0dXJl",
        "pat/0123",  # Snowflake's
        "0a1b2c3d:4e5f6071",
        "mytoken:abc",
        "token=",
        "Bearer",
        "no-prefix-that-anybody-knows",
        "what/even+this&is=%41~!",
    ],
)
def test_what_a_key_begins_with_and_how_long_it_is_is_no_flaw(key: str) -> None:
    assert inspect_key(key) is None


def test_only_the_given_prefixes_tell_a_key_from_other_text() -> None:
    text = "mine acme_0123456789abcdef"

    assert inspect_key(text) == inspect_key(text, prefixes=())
    found = inspect_key(text, prefixes=["acme_"])
    assert found is not None
    assert found.corrected == "acme_0123456789abcdef"


_KEYS = st.from_regex(r"[A-Za-z0-9]{2,4}[-_][A-Za-z0-9_-]{20,60}[A-Za-z0-9]", fullmatch=True).filter(
    lambda key: key[: len(key) // 2] * 2 != key
)
_WRAPPINGS = st.lists(
    st.sampled_from(
        [" {}", "{}\n", '"{}"', "'{}'", "“{}”", "Bearer {}", "OPENAI_API_KEY={}", "\N{ZERO WIDTH SPACE}{}", "{};"]
    ),
    min_size=1,
    max_size=5,
)


@given(_KEYS)
def test_a_key_by_itself_has_no_flaw(key: str) -> None:
    assert inspect_key(key) is None


@given(_KEYS, _WRAPPINGS)
def test_a_key_is_found_in_any_wrapping_and_shown_in_none_of_what_is_said(key: str, wrappings: list[str]) -> None:
    text = key
    for wrapping in wrappings:
        text = wrapping.format(text)

    found = inspect_key(text)

    assert found is not None
    assert found.corrected == key
    assert key not in repr(found)


@given(st.text() | st.text(alphabet="Bearer: \n\t\"'=;,$<>.*-_keyKEY09…“\N{ZERO WIDTH SPACE}"))
def test_what_is_offered_is_always_a_key_that_can_be_sent(text: str) -> None:
    found = inspect_key(text)

    if found is None:
        assert all("!" <= character <= "~" for character in text)
    elif found.corrected is not None:
        assert found.corrected
        assert inspect_key(found.corrected) is None

"""Known keys, and what looks like one, are taken out of text; all other text is left as it is."""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from homeostasis_llm import redaction
from homeostasis_llm.redaction import MASK, redact, remember


@contextmanager
def knowing(*secrets: str) -> Iterator[None]:
    """Nothing is known but `secrets`, which are forgotten again: other tests' texts are none of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", {})
        for secret in secrets:
            remember(secret)
        yield


def _in_lower_case(encoded: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)


def _raw(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda secret: quote(_raw(secret), safe=""),
    "in a URL's path": lambda secret: quote(_raw(secret)),
    "in a form": lambda secret: quote_plus(_raw(secret)),
    "in a URL that leaves some characters": lambda secret: quote(_raw(secret), safe="+=&!$'()*,;:@~"),
    "in a URL in lower case": lambda secret: _in_lower_case(quote(_raw(secret), safe="")),
    "in JSON": lambda secret: json.dumps(secret)[1:-1],
    "in JSON as it is": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "in JSON of PHP": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "in JSON inside JSON": lambda secret: json.dumps(json.dumps(secret)[1:-1])[1:-1],
    "in repr": lambda secret: repr(secret)[1:-1],
    "in repr of bytes": lambda secret: repr(_raw(secret))[2:-1],
    "on a web page": html.escape,
    "in base64": lambda secret: base64.b64encode(_raw(secret)).decode(),
    "in base64 for URLs": lambda secret: base64.urlsafe_b64encode(_raw(secret)).decode(),
    "in base64 without padding": lambda secret: base64.urlsafe_b64encode(_raw(secret)).decode().rstrip("="),
    "in base64 in a URL": lambda secret: quote(base64.b64encode(_raw(secret)), safe=""),
}

spelled_every_way = pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS.keys())

# Of what keys are made of, of what regular expressions are, and of what encodings change. No letter of these is in the
# texts around them.
ALPHABET = "ABCDEF0123456789+/=-_.:~%$^*()[]{}|?&<>\"'\\ é😀"
secrets = st.text(ALPHABET, min_size=4, max_size=40).map(str.strip).filter(lambda secret: len(secret) >= 4)


@spelled_every_way
@given(secret=secrets)
def test_a_known_key_survives_in_no_spelling(spell: Callable[[str], str], secret: str) -> None:
    with knowing(secret):
        assert redact(f"refused: {spell(secret)}; try again") == f"refused: {MASK}; try again"


@pytest.mark.parametrize(
    "secret",
    [
        "made-up-key-of-no-provider",
        "a.b*c+d?e",
        "(unbalanced[",
        "back\\slash\\d",
        "\\" * 50,
        "50%2Bhalf",
        "TWFkZSB1cA==",
        "Ключ-ö-鍵",
        "half \ud83d",
        'quote"quote',
        "two\nlines",
        "x" * 5000,
        '{"type": "service_account", "private_key": "-----BEGIN-----\\nMII+/==\\n-----END-----\\n"}',
    ],
)
@spelled_every_way
def test_a_key_of_any_shape_is_removed(spell: Callable[[str], str], secret: str) -> None:
    with knowing(secret):
        assert redact(f"<{spell(secret)}>") == f"<{MASK}>"


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "api:v1:"])
@pytest.mark.parametrize("after", ["", ":", ":p", ":pw", "\n"])
def test_a_key_in_base64_together_with_other_text_is_removed(before: str, after: str) -> None:
    key = "made-up-key-0123456789"
    with knowing(key):
        said = redact(f"Basic {base64.b64encode(f'{before}{key}{after}'.encode()).decode()}")

    assert MASK in said
    left = said.replace(MASK, "").removeprefix("Basic ")
    # Characters that the surroundings have a part in tell a bit of the key's ends, and no more.
    assert len(left) <= len(base64.b64encode((before + after).encode())) + 4


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Z"]), max_size=200))
def test_text_without_a_key_is_left_as_it_is(text: str) -> None:
    assume(not redaction._SHAPES.search(text))
    with knowing("made-up-key-0123456789"):
        assert redact(text) == text


@given(secrets, st.text("xyz \n", max_size=20), st.text("xyz \n", max_size=20))
def test_the_text_around_a_key_is_left_as_it_is(secret: str, before: str, after: str) -> None:
    with knowing(secret):
        assert redact(f"{before}{secret}{after}{secret}") == f"{before}{MASK}{after}{MASK}"


@given(st.lists(secrets, min_size=2, max_size=4))
def test_no_key_survives_beside_another(several: list[str]) -> None:
    with knowing(*several):
        said = redact("xyz".join(several))

    assert not [secret for secret in several if secret in said.replace(MASK, "")]


@given(secrets, st.text(ALPHABET + "xyz", max_size=60))
def test_redacting_twice_changes_nothing(secret: str, text: str) -> None:
    with knowing(secret):
        once = redact(f"{text}{secret}")

        assert redact(once) == once


@pytest.mark.parametrize("first", [True, False])
def test_a_key_that_is_the_beginning_of_another_hides_no_part_of_it(first: bool) -> None:
    keys = ["made-up-key", "made-up-key-and-more"]
    with knowing(*(keys if first else reversed(keys))):
        assert redact("made-up-key-and-more!") == f"{MASK}!"
        assert redact("made-up-key!") == f"{MASK}!"


def test_keys_that_overlap_leave_nothing_of_either() -> None:
    with knowing("abcdefgh", "efghijkl"):
        assert redact("<abcdefghijkl>") == f"<{MASK}>"


@pytest.mark.parametrize("secret", ["key", "removed", "key removed", "[key"])
def test_a_key_that_is_part_of_the_mask_does_not_eat_it(secret: str) -> None:
    with knowing(secret, "made-up-key-0123456789"):
        once = redact("made-up-key-0123456789")

        assert once == MASK
        assert redact(once) == MASK


@pytest.mark.parametrize("secret", ["k", "ab", "12x"])
def test_a_short_key_is_removed_where_it_stands_alone(secret: str) -> None:
    with knowing(secret):
        assert redact(f"key={secret}; Bearer {secret}") == f"key={MASK}; Bearer {MASK}"
        assert redact(f'"{secret}"') == f'"{MASK}"'
        assert redact(f"x{secret}x") == f"x{secret}x"


@pytest.mark.parametrize("nothing", ["", " ", "\n\t"])
def test_nothing_is_no_key(nothing: str) -> None:
    with knowing(nothing):
        assert redact("two words\n") == "two words\n"


def test_white_space_around_a_key_is_none_of_it() -> None:
    with knowing("  made-up-key-0123456789\n"):
        assert redact("made-up-key-0123456789.") == f"{MASK}."


@pytest.mark.parametrize(
    "word", ["EMPTY", "ollama", "lm-studio", "not-needed", "none", "None", "dummy", "sk-no-key-required"]
)
def test_the_words_that_stand_for_no_key_stay_readable(word: str) -> None:
    with knowing(word):
        assert redact(f"{word} answered 404") == f"{word} answered 404"


# In pieces, so that no file of ours holds what looks like a key.
SHAPED = {
    "OpenAI": "sk-" + "proj-" + "Ab1" * 12,
    "OpenAI, shortened by itself": "sk-" + "ab***********" + "yz9",
    "Anthropic": "sk-ant-" + "api03-" + "Ab1_-" * 8,
    "OpenRouter": "sk-or-" + "v1-" + "0a1b" * 8,
    "Groq": "gsk_" + "Ab1" * 12,
    "xAI": "xai-" + "Ab1" * 12,
    "Perplexity": "pplx-" + "ab1" * 12,
    "Fireworks": "fw_" + "Ab1" * 8,
    "Hugging Face": "hf_" + "Ab1" * 10,
    "NVIDIA": "nvapi-" + "Ab1" * 10,
    "Replicate": "r8_" + "Ab1" * 10,
    "Google": "AIza" + "SyAb1" * 7,
    "AWS": "AKIA" + "ABCD1234" * 2,
    "a token": "eyJ" + "hbGciOiJI" + "." + "eyJzdWIiOi" + "." + "dBjftJeZ4CVP",
}


@pytest.mark.parametrize("key", SHAPED.values(), ids=SHAPED.keys())
def test_what_looks_like_a_key_is_removed_though_nobody_knew_it(key: str) -> None:
    with knowing():
        assert redact(f"Incorrect key ({key}) was given") == f"Incorrect key ({MASK}) was given"
        assert redact(f'{{"key":"{key}"}}') == f'{{"key":"{MASK}"}}'


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn and hf_hub are packages, gsk is a company",
        "the model gpt-4o-mini-2024-07-18 of us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "see https://platform.openai.com/docs/guides/error-codes/api-errors?x=1#y",
        "request req_011CVEA3SF7rnb3DuBZytqQa, id chatcmpl-4f39f3af-3267-4ac1-a0cf-6aa7451877dc",
        "call_3fa85f6457174562b3fc2c963f66afa6 msg_01XFDUDYJgAACzvnptvVoYEL toolu_01A09q90qw90lq917835lq9",
        "projects/fake-project/locations/us-central1/publishers/google/models/gemini-2.5-pro",
        "risk-12345678 and task_1234567890",
    ],
)
def test_what_does_not_look_like_a_key_stays(text: str) -> None:
    with knowing():
        assert redact(text) == text


@pytest.mark.parametrize("unit", ["sk-", "sk-a", "eyJ-", "eyJaaaaaaaaa.", "hf_", "AIza", "AKIA", "a", "\\"])
def test_a_long_text_is_no_trap(unit: str) -> None:
    with knowing("made-up-key-0123456789"):
        assert redact(unit * 50_000 + "made-up-key-0123456789").endswith(MASK)


def test_keys_become_known_while_others_redact() -> None:
    problems: list[BaseException] = []
    learnt = [f"made-up-key-{number:05}" for number in range(400)]

    def learn() -> None:
        for key in learnt:
            remember(key)

    def read() -> None:
        try:
            for _ in range(150):
                assert redact("refused: made-up-key-first.") == f"refused: {MASK}."
        except BaseException as error:  # noqa: BLE001  # a thread's failure is none of the test unless we carry it there
            problems.append(error)

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # as often as it can, so that a missing lock shows
    try:
        with knowing("made-up-key-first"):
            threads = [Thread(target=learn), *(Thread(target=read) for _ in range(3))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            forgotten = [key for key in learnt if redact(key) != MASK]
    finally:
        sys.setswitchinterval(switching)

    assert problems == []
    assert forgotten == []

"""Which way litellm is called. The direct lane is told from the full one by the name that it gives itself."""

from __future__ import annotations

from typing import Any

import pytest

from homeostasis_llm import InvalidRequestError
from homeostasis_llm.litellm_bridge import lanes
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

from ..loopback import Loopback
from .wires import KEY, anthropic_answer, ask, openai_answer


@pytest.fixture
def force(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Whoever runs the tests may have forced a lane."""
    monkeypatch.delenv(lanes.VARIABLE, raising=False)
    return monkeypatch


def lane_of(provider: str, loopback: Loopback, **fields: Any) -> str:
    """The lane that a call took."""
    loopback.reply(json=anthropic_answer() if provider == "anthropic" else openai_answer())
    LiteLLMProvider(provider, KEY, base_url=loopback.url).complete(ask(**fields))
    return "direct" if loopback.requests[-1].headers["user-agent"].startswith("homeostasis-llm/") else "full"


def test_whoever_is_not_proven_takes_the_full_lane(force: pytest.MonkeyPatch, loopback: Loopback) -> None:
    force.setattr(lanes, "proven", lambda: frozenset({"groq"}))

    assert lane_of("openai", loopback) == "full"
    assert lane_of("groq", loopback) == "direct"


@pytest.mark.parametrize(
    ("said", "openai", "groq"),
    [
        ("direct", "direct", "direct"),
        ("full", "full", "full"),
        ("openai=direct", "direct", "full"),
        ("full, openai=direct", "direct", "full"),
        ("groq=direct,openai=full", "full", "direct"),
    ],
)
def test_the_environment_has_the_last_word(
    said: str, openai: str, groq: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setattr(lanes, "proven", frozenset)
    force.setenv(lanes.VARIABLE, said)

    assert (lane_of("openai", loopback), lane_of("groq", loopback)) == (openai, groq)


@pytest.mark.parametrize("said", ["quick", "openai=", "openai=quick", "=direct,openai"])
def test_a_lane_that_is_none_is_an_error(said: str, force: pytest.MonkeyPatch, loopback: Loopback) -> None:
    force.setenv(lanes.VARIABLE, said)

    with pytest.raises(InvalidRequestError, match="HOMEOSTASIS_LITELLM_LANE: must be direct, full, or"):
        lane_of("openai", loopback)

    assert loopback.requests == []


def test_a_provider_whose_answers_have_another_form_takes_the_full_lane_even_where_it_is_forced(
    force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, "direct")

    assert lane_of("anthropic", loopback) == "full"


@pytest.mark.parametrize(
    ("extra", "lane"),
    [
        ({"litellm_metadata": {"a": 1}}, "full"),
        ({"cache": {"no-cache": True}}, "full"),
        ({"drop_params": True}, "full"),
        ({"a_field_of_its_own": 1}, "direct"),
    ],
)
def test_what_only_litellm_as_a_whole_heeds_takes_the_full_lane(
    extra: dict[str, object], lane: str, force: pytest.MonkeyPatch, loopback: Loopback
) -> None:
    force.setenv(lanes.VARIABLE, "direct")

    assert lane_of("openai", loopback, extra=extra) == lane

"""Whatever is asked, a proven provider is sent the same on both lanes: requests that nobody thought of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from homeostasis_llm import LLMMessage, LLMRequest
from homeostasis_llm.catalog import all_facts
from homeostasis_llm.litellm_bridge.lanes import proven
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.messages import ImagePart, TextPart, ToolCall
from homeostasis_llm.request import JSONSchema, Tool

from ..loopback import Loopback
from .both import LANES, Outcome, aasked, asked, on, request_differences
from .cases import FETCHED, MODELS
from .requests import provider_of
from .spoken import spoken_by

NAMES = [facts.name for facts in all_facts().values() if facts.litellm_name in proven()]

text = st.text(st.characters(codec="utf-8"), max_size=12)
words = st.text("abcdefgh_", min_size=1, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
)
arguments = st.dictionaries(words, json_values, max_size=2)
schemas = st.dictionaries(words, st.sampled_from(({"type": "string"}, {"type": "integer"}, {})), max_size=2).map(
    lambda properties: {"type": "object", "properties": properties}
)
tools = st.builds(Tool, name=words, description=text, parameters=schemas, strict=st.none() | st.booleans())
parts = st.lists(
    st.builds(TextPart, text=text)
    | st.builds(ImagePart, url=st.just("https://pictures.example/1.png"), detail=st.sampled_from((None, "low"))),
    min_size=1,
    max_size=2,
)
spoken = st.builds(LLMMessage, role=st.sampled_from(("user", "system", "assistant")), content=text)
shown = st.builds(LLMMessage, role=st.just("user"), content=parts)


@st.composite
def called(draw: st.DrawFn) -> list[LLMMessage]:
    """A call of tools with its results."""
    calls = [
        ToolCall(name=draw(words), arguments=draw(arguments), id=f"call_{number}")
        for number in range(draw(st.integers(1, 2)))
    ]
    results = [LLMMessage(role="tool", tool_call_id=call.id, content=draw(text)) for call in calls]
    return [LLMMessage(role="assistant", content=draw(text), tool_calls=calls), *results]


conversations = st.lists((spoken | shown).map(lambda one: [one]) | called(), min_size=1, max_size=3).map(
    lambda turns: [message for turn in turns for message in turn]
)


@st.composite
def requests(draw: st.DrawFn, name: str) -> LLMRequest:
    """Anything that a request can say."""
    given_tools = draw(st.none() | st.lists(tools, min_size=1, max_size=2, unique_by=lambda tool: tool.name))
    choices = ("auto", "none", "required", given_tools[0].name) if given_tools else ("auto", "none")
    forms = st.sampled_from(("text", "json")) | st.builds(JSONSchema, schema=schemas, strict=st.none() | st.booleans())
    sparsely = st.booleans()
    said: dict[str, st.SearchStrategy[object]] = {
        "temperature": st.floats(0, 2),
        "max_tokens": st.integers(1, 99_999),
        "system_prompt": text,
        "top_p": st.floats(0, 1),
        "stop": st.lists(text.filter(bool), min_size=1, max_size=3),
        "seed": st.integers(-5, 5),
        "tool_choice": st.sampled_from(choices),
        "parallel_tool_calls": st.booleans(),
        "response_format": forms,
        "reasoning_effort": st.sampled_from(("none", "minimal", "low", "medium", "high")),
        "extra": st.dictionaries(words, json_values, max_size=2),
    }
    return LLMRequest(
        messages=draw(conversations),
        model=draw(st.sampled_from((*MODELS.get(name, ()), "some-model"))),
        tools=None if given_tools is None else [*given_tools],
        **{field: draw(strategy) for field, strategy in said.items() if draw(sparsely) and draw(sparsely)},  # type: ignore[arg-type]  # by name
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    """One for all examples."""
    with Loopback() as loopback:
        yield loopback


@pytest.fixture(scope="module")
def providers(server: Loopback) -> Iterator[dict[str, LiteLLMProvider]]:
    """Made once: what a lane keeps of one request must not get into the next."""
    made = {name: provider_of(name, server.url) for name in NAMES}
    yield made
    for provider in made.values():
        provider.close()


@pytest.mark.skipif(not NAMES, reason="no provider is proven, so that nothing takes the direct lane")
@settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_request_is_the_same_on_both_lanes(
    data: st.DataObject, server: Loopback, providers: dict[str, LiteLLMProvider]
) -> None:
    name = data.draw(st.sampled_from(NAMES))
    server.always(json=spoken_by(all_facts()[name].litellm_name).answer)
    request = data.draw(requests(name))
    assume(name not in FETCHED or not any(map(_has_link, request.messages)))
    stream, waits = data.draw(st.booleans()), data.draw(st.booleans())

    full, direct = (_asked(lane, providers[name], request, server, stream=stream, waits=waits) for lane in LANES)

    assert list(request_differences(full, direct)) == []


def _has_link(message: LLMMessage) -> bool:
    return isinstance(message.content, list) and any(
        isinstance(part, ImagePart) and part.url for part in message.content
    )


def _asked(
    lane: str, provider: LiteLLMProvider, request: LLMRequest, server: Loopback, *, stream: bool, waits: bool
) -> Outcome:
    with on(lane):
        if waits:
            return asyncio.run(aasked(provider, request, server, stream=stream))
        return asked(provider, request, server, stream=stream)

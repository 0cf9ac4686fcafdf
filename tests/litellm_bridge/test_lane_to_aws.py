"""Who asks Bedrock, and what of it takes which lane."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from botocore.auth import SigV4Auth

from homeostasis_llm import LLMError, LLMMessage, LLMRequest, ServerError
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.request import JSONSchema, Tool

from ..lanes.both import on
from ..lanes.spoken_bedrock import BEDROCK
from ..loopback import Loopback
from .wires import KEY

NOVA = "us.amazon.nova-pro-v1:0"
ACCOUNT = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-real-secret", "AWS_REGION": "eu-west-1"}


def asking(model: str = NOVA, **more: Any) -> LLMRequest:
    """A request for `model`."""
    return LLMRequest(**{"messages": [LLMMessage(role="user", content="Hi")], "model": model, **more})


def lane_of(loopback: Loopback) -> str:
    """That of the last request."""
    return "direct" if loopback.requests[-1].headers["user-agent"].startswith("homeostasis-llm/") else "full"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's own credentials stand in the environment."""
    for name, told in ACCOUNT.items():
        monkeypatch.setenv(name, told)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("waits", [False, True])
def test_who_has_an_account_in_the_environment_signs_on_the_direct_lane(waits: bool, loopback: Loopback) -> None:
    loopback.always(json=BEDROCK.answer)
    provider = LiteLLMProvider("bedrock", base_url=loopback.url)

    with on("direct"):
        answer = asyncio.run(provider.acomplete(asking())) if waits else provider.complete(asking())

    assert answer.content == "Hello"
    assert lane_of(loopback) == "direct"
    signature = loopback.requests[-1].headers["authorization"]
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/bedrock/aws4_request" in signature


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("stream", [False, True])
def test_the_event_loop_does_not_wait_for_credentials(
    stream: bool, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, sign = [], SigV4Auth.add_auth

    def watched(self: SigV4Auth, request: object) -> None:
        threads.append(threading.get_ident())
        sign(self, request)

    monkeypatch.setattr(SigV4Auth, "add_auth", watched)
    loopback.always(status=503, json={"message": "busy"})
    provider = LiteLLMProvider("bedrock", base_url=loopback.url)

    async def ask() -> int:
        asked = anext(provider.acomplete_stream(asking())) if stream else provider.acomplete(asking())
        with pytest.raises(ServerError):
            await asked
        return threading.get_ident()

    with on("direct"):
        loop = asyncio.run(ask())

    assert len(threads) == 1
    assert loop not in threads


@pytest.mark.usefixtures("account")
def test_a_key_goes_before_an_account(loopback: Loopback) -> None:
    loopback.always(json=BEDROCK.answer)

    with on("direct"):
        LiteLLMProvider("bedrock", KEY, base_url=loopback.url).complete(asking())

    assert lane_of(loopback) == "direct"
    assert loopback.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "request_",
    [
        asking("invoke/anthropic.claude-3-5-sonnet-20240620-v1:0"),
        asking("us-east-1/us.amazon.nova-pro-v1:0"),
        asking(extra={"aws_region_name": "eu-west-1"}),
        asking(extra={"model_id": "arn:aws:bedrock:eu-west-1:1:application-inference-profile/a"}),
        asking(extra={"additional_drop_params": ["seed"]}),
    ],
    ids=["invoked", "a region in the name", "a region", "a profile", "litellm's own"],
)
def test_what_only_litellm_as_a_whole_knows_takes_the_full_lane(request_: LLMRequest, loopback: Loopback) -> None:
    loopback.always(json=BEDROCK.answer)
    provider = LiteLLMProvider("bedrock", KEY, base_url=loopback.url)

    with on("direct"), contextlib.suppress(LLMError):  # an invoked model answers in another form
        provider.complete(request_)

    assert lane_of(loopback) == "full"


def test_a_form_that_a_model_gives_as_a_call_is_text_on_the_direct_lane(loopback: Loopback) -> None:
    call = {"toolUse": {"toolUseId": "1", "name": "json_tool_call", "input": {"title": "Up"}}}
    message = {"role": "assistant", "content": [call]}
    loopback.always(json={**BEDROCK.answer, "stopReason": "tool_use", "output": {"message": message}})
    provider = LiteLLMProvider("bedrock", KEY, base_url=loopback.url)
    form = JSONSchema(schema={"type": "object", "properties": {"title": {"type": "string"}}})

    with on("direct"):
        told = provider.complete(asking(response_format=form))
        own = provider.complete(asking(tools=[Tool(name="json_tool_call")]))

    assert lane_of(loopback) == "direct"
    assert (told.content, told.tool_calls) == ('{"title": "Up"}', [])
    assert [found.name for found in own.tool_calls] == ["json_tool_call"]

"""What Aleph Alpha really sent is read as it stands there, from a local server."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from homeostasis_llm_aleph_alpha import AlephAlphaProvider

from homeostasis_llm import LLMMessage, LLMRequest
from tests.loopback import Loopback

WILD = Path(__file__).parents[4] / "shared" / "wild" / "aleph_alpha.jsonl.gz"

pytestmark = pytest.mark.skipif(not WILD.exists(), reason="the recordings are not beside the checkout: ../shared/wild")


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    with gzip.open(WILD, "rt", encoding="utf-8") as lines:
        (found,) = [json.loads(line) for line in lines]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("way", ["complete", "acomplete"])
def test_the_recording_is_read_right(record: dict[str, Any], way: str, loopback: Loopback) -> None:
    loopback.reply(body=record["body"], headers=record["response_headers"])
    request = LLMRequest(
        messages=[LLMMessage(role="user", content=record["request"]["prompt"][0]["data"])],
        model=record["request"]["model"],
        max_tokens=record["request"]["maximum_tokens"],
        temperature=record["request"]["temperature"],
    )

    with AlephAlphaProvider("not-a-real-key-0123", base_url=loopback.url) as provider:
        read = provider.complete(request) if way == "complete" else asyncio.run(provider.acomplete(request))

    expected = record["expected"]
    assert read.content == expected["text"]
    assert read.finish_reason == "length"
    assert read.metadata["finish_reason"] == expected["finish_reason_raw"]
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens) == (
        expected["usage"]["input"],
        expected["usage"]["output"],
    )
    assert read.model == "luminous-base"


def test_what_is_sent_is_what_was_sent(record: dict[str, Any], loopback: Loopback) -> None:
    loopback.reply(body=record["body"], headers=record["response_headers"])
    sent = record["request"]

    with AlephAlphaProvider("not-a-real-key-0123", base_url=loopback.url) as provider:
        provider.complete(
            LLMRequest(
                messages=[LLMMessage(role="user", content=sent["prompt"][0]["data"])],
                model=sent["model"],
                max_tokens=sent["maximum_tokens"],
                temperature=sent["temperature"],
                top_p=sent["top_p"],
            )
        )

    ours = loopback.requests[0].json
    (item,) = ours.pop("prompt")
    assert loopback.requests[0].path == "/complete"
    assert item == {name: sent["prompt"][0][name] for name in ("type", "data")}
    assert ours == {name: sent[name] for name in ours}  # what we leave out is the default

"""Where litellm falls short of what every provider promises, by dialect: expected to fail, until it no longer does."""

from __future__ import annotations

from collections.abc import Mapping

from homeostasis_llm.litellm_bridge.lanes import wanted


def _of_the_full_lane(litellm_name: str, faults: Mapping[str, str]) -> Mapping[str, str]:
    """Those of litellm's readers, which the direct lane does without."""
    return faults if wanted(litellm_name) == "full" else {}


_NO_USAGE = "litellm cannot read an answer that tells no usage"
_SHOW = "litellm asks Ollama about the model beside the question, with a client of its own that nobody closes"

ANTHROPIC = _of_the_full_lane("anthropic", {"test_usage_that_is_not_told_is_unknown": _NO_USAGE})

GEMINI = _of_the_full_lane("gemini", {"test_usage_that_is_not_told_is_unknown": _NO_USAGE})

COHERE = _of_the_full_lane(
    "cohere_chat",
    {
        "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
        "test_an_error_inside_a_stream_is_raised": "the end of a Cohere stream that failed is read as an end by error",
        "test_tool_calls_may_stand_beside_text": "litellm drops the text of a Cohere answer that also calls tools",
    },
)

OLLAMA = _of_the_full_lane(
    "ollama_chat",
    {
        "test_one_question_is_one_request": _SHOW,
        "test_nothing_is_left_open": _SHOW,
    },
)

BEDROCK = {
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
}

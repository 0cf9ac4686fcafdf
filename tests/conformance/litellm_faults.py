"""Where litellm falls short of what every provider promises, by dialect: expected to fail, until it no longer does."""

from __future__ import annotations

_LINES = (
    "litellm reads streams with httpx's iter_lines, which also ends lines at U+2028, U+0085 and the like; what "
    "follows in "
    "the event is lost"
)
_DONE = "litellm drops an event whose text holds `data: [DONE]`"
_NO_USAGE = "litellm cannot read an answer that tells no usage"
_SHOW = "litellm asks Ollama about the model beside the question, with a client of its own that nobody closes"

_USUAL = {
    "test_the_text_is_read_as_it_is[line_separators]": _LINES,
    "test_the_text_is_read_as_it_is[like_a_stream]": _DONE,
}

ANTHROPIC = {
    "test_the_text_is_read_as_it_is[line_separators]": _LINES,
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
}

GEMINI = {
    "test_the_text_is_read_as_it_is[line_separators]": _LINES,
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
    "test_comments_say_nothing": "litellm reads nothing of a Gemini stream that has comments in it",
}

COHERE = {
    "test_the_text_is_read_as_it_is[like_a_stream]": _DONE,
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
    "test_an_error_inside_a_stream_is_raised": "the end of a Cohere stream that failed is read as an end by error",
    "test_tool_calls_may_stand_beside_text": "litellm drops the text of a Cohere answer that also calls tools",
}

MISTRAL = _USUAL

GROQ = _USUAL

OPENROUTER = _USUAL

OLLAMA = {
    **_USUAL,
    "test_one_question_is_one_request": _SHOW,
    "test_nothing_is_left_open": _SHOW,
}

BEDROCK = {
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
}

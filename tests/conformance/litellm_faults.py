"""Where litellm falls short of what every provider promises, by dialect: expected to fail, until it no longer does."""

from __future__ import annotations

_LINES = (
    "litellm reads streams with httpx's iter_lines, which also ends lines at U+2028, U+0085 and the like; what "
    "follows in "
    "the event is lost"
)
_DONE = "litellm drops an event whose text holds `data: [DONE]`"
_NO_USAGE = "litellm cannot read an answer that tells no usage"
_AUDIO = "litellm leaves sound out of a message without a word"
_JSON = "litellm leaves the wish for any JSON object out without a word"
_CHOICE = "litellm leaves out which tool must be called without a word"
_PARALLEL = "litellm leaves out that calls shall come one by one without a word"
_SHOW = "litellm asks Ollama about the model beside the question, with a client of its own that nobody closes"
_EXTRA = "litellm sends Gemini no parameter that it does not know"

_USUAL = {
    "test_the_text_is_read_as_it_is[line_separators]": _LINES,
    "test_the_text_is_read_as_it_is[like_a_stream]": _DONE,
}

ANTHROPIC = {
    "test_the_text_is_read_as_it_is[line_separators]": _LINES,
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
    "test_a_field_is_sent_or_refused[response_format_json]": _JSON,
    "test_a_part_of_a_message_is_sent_or_refused[audio]": _AUDIO,
}

GEMINI = {
    "test_a_field_is_sent_or_refused[parallel_tool_calls]": _PARALLEL,
    "test_the_text_is_read_as_it_is[line_separators]": _LINES,
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
    "test_a_field_is_sent_or_refused[extra]": _EXTRA,
    "test_nothing_is_a_choice[extra]": _EXTRA,
    "test_comments_say_nothing": "litellm reads nothing of a Gemini stream that has comments in it",
}

COHERE = {
    "test_a_field_is_sent_or_refused[tool_choice]": _CHOICE,
    "test_a_field_is_sent_or_refused[tool_choice_by_name]": _CHOICE,
    "test_the_text_is_read_as_it_is[like_a_stream]": _DONE,
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
    "test_an_error_inside_a_stream_is_raised": "the end of a Cohere stream that failed is read as an end by error",
    "test_tool_calls_may_stand_beside_text": "litellm drops the text of a Cohere answer that also calls tools",
}

MISTRAL = {
    "test_a_field_is_sent_or_refused[tool_choice_by_name]": _CHOICE,
    **_USUAL,
    "test_a_part_of_a_message_is_sent_or_refused[audio]": _AUDIO,
}

GROQ = _USUAL

OPENROUTER = _USUAL

OLLAMA = {
    "test_a_field_is_sent_or_refused[tool_choice]": _CHOICE,
    "test_a_field_is_sent_or_refused[tool_choice_by_name]": _CHOICE,
    **_USUAL,
    "test_a_part_of_a_message_is_sent_or_refused[audio]": "litellm sends sound to Ollama, and fails in counting its "
    "tokens",
    "test_a_part_of_a_message_is_sent_or_refused[file]": "litellm leaves files out of a message to Ollama without a "
    "word",
    "test_one_question_is_one_request": _SHOW,
    "test_nothing_is_left_open": _SHOW,
}

BEDROCK = {
    "test_a_field_is_sent_or_refused[parallel_tool_calls]": _PARALLEL,
    "test_usage_that_is_not_told_is_unknown": _NO_USAGE,
    "test_a_field_is_sent_or_refused[response_format_json]": _JSON,
    "test_a_part_of_a_message_is_sent_or_refused[audio]": _AUDIO,
}

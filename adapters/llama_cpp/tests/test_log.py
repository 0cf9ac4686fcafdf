"""llama.cpp's log goes to `logging`, and nothing to the terminal."""

from __future__ import annotations

import logging
import os

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider

from .asked import CAPITAL, WEATHER, asked

NAME = "homeostasis_llm.llama_cpp"


def test_loading_and_answering_write_nothing_to_the_terminal_and_no_warning_to_the_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with LlamaCppProvider(context_tokens=512, parallel=1, threads=1) as provider:
        provider.complete(asked(CAPITAL, max_tokens=4))
        provider.complete(asked(CAPITAL, max_tokens=4, tools=[WEATHER], tool_choice="required"))
        provider.complete(asked(CAPITAL, max_tokens=4, response_format="json"))

    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name == NAME] == []
    os.write(2, b"it is given back\n")
    assert capfd.readouterr().err == "it is given back\n"


def test_what_it_says_while_loading_is_there_for_who_wants_it_and_nowhere_else(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        caplog.at_level(logging.INFO, NAME),
        LlamaCppProvider(context_tokens=512, parallel=1, threads=1) as provider,
    ):
        provider.complete(asked("Hello", max_tokens=1))

    told = [record.getMessage() for record in caplog.records if record.name == NAME]
    assert any("model loaded" in text for text in told)
    assert capfd.readouterr() == ("", "")

"""LangChain's own integration tests for chat models over HTTP, from recordings: in OpenAI's dialect and in Anthropic's.

pytest tests/langchain/test_standard_cassettes.py                        plays the recordings
pytest tests/langchain/test_standard_cassettes.py --record-mode=rewrite  makes them anew
pytest tests/langchain/test_standard_cassettes.py --llm-live             asks for real, and compares

What the embedded model can do is recorded from llama.cpp's server. What it cannot (see, hear, read documents, be
another model, count thoughts) is answered by the fault server, and the recording says so: what is proved there is what
we send.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_tests.integration_tests import ChatModelIntegrationTests

from homeostasis_llm import ToolCall, UnsuitableRequestError
from homeostasis_llm.testing import FaultServer
from homeostasis_llm.testing.cassettes import Cassette
from homeostasis_llm.testing.faults import Request, Step, answer

from . import by_example

KEY = "right-for-this-server-only"
MODEL = "smollm2-135m-instruct"
NOWHERE = "http://localhost"
"""Where a recording is asked: nothing needs to listen there."""

MEDIA = Path(__file__).parent / "media"

SCRIPTED = {
    "test_anthropic_inputs",
    "test_audio_inputs",
    "test_image_inputs",
    "test_image_tool_message",
    "test_pdf_inputs",
    "test_pdf_tool_message",
    "test_tool_choice",
    "test_invoke_with_model_override",
    "test_ainvoke_with_model_override",
    "test_stream_with_model_override",
    "test_astream_with_model_override",
}
SCRIPTED_NOTE = (
    "Answered by this project's own fault server, for llama.cpp's has a model that can only read, that is there under "
    "one name, and that cannot be told which tool to call: what counts here is what was sent."
)
COUNTED_NOTE = (
    "The first answer is llama.cpp's; those with details in their usage are of this project's own fault server."
)


MADE_UP = [
    "messages.*.tool_calls.*.id",
    "messages.*.tool_call_id",
    "messages.*.content.*.id",
    "messages.*.content.*.tool_use_id",
]
"""The ids of calls: LangChain makes them up anew each time for an example, and a server for each call."""

MUST_CALL = ("required", {"type": "any"})
"""That some tool is to be called, in each dialect."""


class Downloads:
    """What LangChain's tests fetch from the web, from small files of the same kinds."""

    @staticmethod
    def get(url: str, **_: object) -> httpx.Response:
        [file] = MEDIA.glob(f"*{Path(url).suffix}")
        return httpx.Response(200, content=file.read_bytes())


@pytest.fixture(scope="module")
def llama(llm_asks_for_real: bool) -> Iterator[str]:
    """The embedded model's server, while somebody is asked for real."""
    if not llm_asks_for_real:
        yield NOWHERE
        return
    from homeostasis_llm_llama_cpp import serve

    with serve(api_key=KEY, context_tokens=1024, parallel=1, chat_template=by_example.TEMPLATE) as address:
        yield address


Detail = Literal["audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"]


@pytest.mark.filterwarnings(
    # They call what LangChain itself calls unfinished.
    "ignore::langchain_core._api.LangChainBetaWarning",
    # Nothing is measured while somebody is asked for real.
    "ignore:Benchmark fixture was not used:pytest_benchmark.logger.PytestBenchmarkWarning",
)
class OverHTTP(ChatModelIntegrationTests):
    """What holds in both dialects."""

    wire: str
    path: str
    """What stands between a server's address and what the dialect asks for."""
    usage: ClassVar[dict[str, Any]]
    """What the fault server counts."""

    @pytest.fixture(autouse=True)
    def recorded(
        self, request: pytest.FixtureRequest, llama: str, llm_asks_for_real: bool, llm_cassette: Cassette
    ) -> Iterator[None]:
        self.test = request.node.originalname
        with ExitStack() as running:
            self.scripted = NOWHERE
            if llm_asks_for_real:
                server = running.enter_context(FaultServer())
                server.always(self.answered)
                self.scripted = server.url
            self.address = self.scripted if self.test in SCRIPTED else llama
            llm_cassette.note = _note(self.test)
            if llm_cassette.live or self.test == "test_structured_few_shot_examples":
                llm_cassette.options = replace(llm_cassette.options, ignore=MADE_UP)
            yield

    def answered(self, asked: Request) -> Step:
        """What the fault server says: a call of the tool that must be called, or else a sentence."""
        choice = asked.json.get("tool_choice")
        tool = asked.json["tools"][0] if choice in MUST_CALL else choice
        if not isinstance(tool, dict):
            return answer(usage=self.usage)
        call = ToolCall(name=tool.get("function", tool)["name"], arguments={})
        return answer(tool_calls=[call], usage=self.usage)

    @pytest.fixture(autouse=True)
    def downloads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("langchain_tests.integration_tests.chat_models.httpx", Downloads)
        # LangChain warns whoever downloads without it.
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nothing is downloaded")

    @pytest.fixture
    def vcr(self, request: pytest.FixtureRequest, llm_cassette: Cassette) -> object:
        """Our recording where LangChain's test wants one of plain vcrpy: a benchmark plays it over and over.

        Every test is given this, for pytest-recording has it so.
        """
        llm_cassette.allow_playback_repeats = request.node.get_closest_marker("vcr") is not None
        # Without answers it asks once, as there is nothing to measure where somebody is asked for real.
        return SimpleNamespace(responses=[]) if llm_cassette.live else llm_cassette

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return by_example.model_for(self.test)

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "provider": self.wire,
            "model": MODEL,
            "api_key": KEY,
            "base_url": self.address + self.path,
            "temperature": 0,
            "max_tokens": 128,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def enable_vcr_tests(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "another-model"

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream=stream)

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream=stream)

    def invoke_with_cache_creation_input(self, *, stream: bool = False) -> AIMessage:
        return self._counted(stream=stream)

    def _counted(self, *, stream: bool) -> AIMessage:
        """An answer of the fault server's."""
        model = self.chat_model_class(**{**self.chat_model_params, "base_url": self.scripted + self.path})
        if not stream:
            return model.invoke("Count your tokens.")
        whole: AIMessageChunk | None = None
        for chunk in model.stream("Count your tokens."):
            assert isinstance(chunk, AIMessageChunk)
            whole = chunk if whole is None else whole + chunk
        assert whole is not None
        return whole


class TestOpenAI(OverHTTP):
    wire = "openai"
    path = "/v1"
    usage: ClassVar = {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 12, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0},
    }

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Detail]]:
        return {"invoke": ["reasoning_output", "cache_read_input"], "stream": ["reasoning_output", "cache_read_input"]}


class TestAnthropic(OverHTTP):
    wire = "anthropic"
    path = ""
    usage: ClassVar = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 12,
        "output_tokens": 9,
    }

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Detail]]:
        details: list[Detail] = ["cache_read_input", "cache_creation_input"]
        return {"invoke": details, "stream": details}

    @pytest.mark.xfail(raises=UnsuitableRequestError, reason="Anthropic has no mode for any JSON object", strict=True)
    def test_json_mode(self, model: BaseChatModel) -> None:
        super().test_json_mode(model)

    @pytest.mark.xfail(raises=UnsuitableRequestError, reason="Anthropic's messages take no sound", strict=True)
    def test_audio_inputs(self, model: BaseChatModel) -> None:
        super().test_audio_inputs(model)


def _note(test: str) -> str:
    if test in SCRIPTED:
        return SCRIPTED_NOTE
    if "usage" in test:
        return COUNTED_NOTE
    return by_example.TOOLS_NOTE if "tool" in test or "structured" in test or "agent" in test else ""

"""How the provider looks from LangChain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from inspect import signature
from itertools import product
from typing import Any

import pytest

from ....catalog import our_variable
from ....errors import UnknownProviderError
from ....provider import LLMProviderInterface
from ....registry import ProviderFactory
from ..bench import Bench
from ..declarations import Declarations
from ..verdicts import broken, good, not_applicable, require

MISSING = "LangChain's own tests are not installed: pip install 'homeostasis-llm[testing]'"

# Their names, so that the list can be read without langchain-tests; one of ours holds it equal to theirs.
LANGCHAIN_TESTS = (
    "test_bind_tool_pydantic",
    "test_init",
    "test_init_from_env",
    "test_init_streaming",
    "test_init_time",
    "test_serdes",
    "test_standard_params",
    "test_standard_params_model_override",
    "test_with_structured_output",
)


# They call what LangChain itself deprecates (`dict`) and calls unfinished (`load`).
@pytest.mark.filterwarnings(
    "ignore::langchain_core._api.LangChainBetaWarning", "ignore::langchain_core._api.LangChainDeprecationWarning"
)
class ExposureRules(Declarations):
    """LangChain exposure."""

    @pytest.mark.parametrize("name", LANGCHAIN_TESTS)
    def test_the_chat_model_passes_langchains_unit_suite(self, bench: Bench, name: str) -> None:
        if find_spec("langchain_tests") is None:
            broken(MISSING)
        from langchain_tests.unit_tests import ChatModelUnitTests

        provider = bench.provider
        model = good("as_chat_model", provider.as_chat_model)
        needs_key, key = self.needs_key, self.key
        # An object cannot be loaded again from JSON; the provider of a name can.
        given = provider.name if name == "test_serdes" else provider

        class Suite(ChatModelUnitTests):
            chat_model_class = type(model)
            chat_model_params = {"provider": given, "model": "zorb-model-1"}  # noqa: RUF012  # a property of theirs

            @property
            def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
                if not needs_key:
                    return {}, {}, {}
                variables = {our_variable(provider.name, "API_KEY"): key}
                return variables, {"provider": provider.name, "model": "zorb-model-1"}, {"api_key": key}

            @property
            def standard_chat_model_params(self) -> dict[str, Any]:
                # The key is the provider's, and a model that is given another beside it refuses that.
                params = super().standard_chat_model_params
                return {name: given for name, given in params.items() if name != "api_key"}

        suite = Suite()
        test = getattr(suite, name)
        with _registered(provider):
            try:
                for arguments in _argument_lists(test, suite):
                    test(**arguments)
            except pytest.skip.Exception as skipped:
                not_applicable(str(skipped))
            except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # whatever LangChain's tests raise
                broken(
                    f"The chat model of as_chat_model() does not pass LangChain's {name}: {type(error).__name__}: "
                    f"{str(error)[:500]}. Return a ChatHomeostasis, or a subclass that keeps what it does."
                )

    def test_the_chat_model_answers(self, bench: Bench) -> None:
        bench.may_ask()
        model = good("as_chat_model", bench.provider.as_chat_model)
        message = good("the chat model's invoke", lambda: model.invoke("Hi", **self._call()))
        require(message.text, "The chat model of as_chat_model() answered nothing: answer it as you answer complete.")

    def test_the_chat_model_streams(self, bench: Bench) -> None:
        bench.may_ask()
        model = good("as_chat_model", bench.provider.as_chat_model)
        pieces = good("the chat model's stream", lambda: [piece.text for piece in model.stream("Hi", **self._call())])
        require(
            "".join(pieces),
            "The chat model of as_chat_model() streamed nothing: answer it as you answer complete_stream.",
        )

    def _call(self) -> dict[str, Any]:
        return {**({} if self.model is None else {"model": self.model}), **self.request_fields()}


def _argument_lists(test: Callable[..., None], suite: Any) -> Iterator[dict[str, Any]]:
    """What pytest would call a test of LangChain's with: their fixtures, and the cases of its marks."""
    ready: Mapping[str, Callable[[], Any]] = {
        "model": lambda: suite.chat_model_class(**suite.standard_chat_model_params, **suite.chat_model_params),
        "my_adder_tool": lambda: _adder,
        "benchmark": lambda: lambda work: work(),  # how long it takes is not the point
        "snapshot": lambda: lambda **_: _Anything(),  # and what it looked like before neither
    }
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for cases in product(*([(mark.args[0], case) for case in mark.args[1]] for mark in marks)):
        given = dict(cases)
        yield {name: given[name] if name in given else ready[name]() for name in signature(test).parameters}


@contextmanager
def _registered(provider: LLMProviderInterface) -> Iterator[None]:
    """Have its name known, as it is wherever its package is installed."""
    try:
        ProviderFactory.describe(provider.name)
    except UnknownProviderError:
        ProviderFactory.register(provider.name, lambda api_key=None, **options: provider)  # noqa: ARG005  # the form
        try:
            yield
        finally:
            ProviderFactory.unregister(provider.name)
    else:
        yield


def _adder(a: int, b: int) -> int:
    """Take two integers, a and b, and return their sum."""
    return a + b


class _Anything:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__

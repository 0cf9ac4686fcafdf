"""What an author declares of a provider. What is declared as lacking is skipped with that reason, and so reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...provider import LLMProviderInterface
from .verdicts import broken, not_applicable
from .wire import Wire


class Declarations:
    """Class attributes to be set, and the one method to be written."""

    wire: ClassVar[Wire | None] = None
    """The dialect, for a provider that asks over HTTP."""
    in_process: ClassVar[bool] = False
    """Whether the provider answers inside this process, so that there is no wire to be scripted."""
    unwired: ClassVar[str] = ""
    """Why no wire is scripted, where that is another reason than that the provider is inside this process."""
    asks: ClassVar[bool] = True
    """Whether a provider without a wire may be asked: one that is not inside this process is asked for real."""
    model: ClassVar[str | None] = None
    """The model to ask for; None leaves it to `default_model`."""

    needs_key: ClassVar[bool] = True
    """Whether the provider has any use for a key."""
    supports_tools: ClassVar[bool] = True
    supports_streaming: ClassVar[bool] = True
    """Whether `complete_stream` brings the answer as it is written."""
    supports_usage: ClassVar[bool] = True
    supports_system_prompt: ClassVar[bool] = True
    supports_listing: ClassVar[bool] = True
    """Whether the provider itself can be asked for its models."""

    known_faults: ClassVar[Mapping[str, str]] = {}
    """Rules that are known to be broken, by the name of the test (with its case: `test_x[case]`), and why. They are
    expected to fail, and a fault that is gone must be taken out."""

    key: ClassVar[str] = "sk-made-up-0123456789-conformance"
    """The key that the provider is made with."""

    def make_provider(self, api_key: str, base_url: str | None) -> LLMProviderInterface:  # noqa: ARG002  # the form
        """A new provider with that key, which asks the server at `base_url`; None for one inside the process."""
        broken(
            f"{type(self).__name__} does not say how its provider is made: write make_provider(self, api_key, "
            "base_url)."
        )

    def request_fields(self) -> dict[str, Any]:
        """Fields that every request needs, beside messages and model."""
        return {}

    def needs(self, declared: str) -> None:
        """Skip the rule where the attribute of that name is declared to be false."""
        if not getattr(self, declared):
            not_applicable(f"declared: {declared} = False")

    def needs_of_wire(self, said: object, what: str) -> None:
        """Skip the rule where the dialect has nothing of the kind."""
        if not said:
            not_applicable(f"the dialect has no {what}")

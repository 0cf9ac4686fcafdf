"""Let a request through to a provider, or say why not: which model it is to ask, and what is left of its budgets."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import Settings
from ..errors import LLMError
from ..provider import LLMProviderInterface
from ..request import LLMRequest
from ..response import LLMResponse
from .roster import Stop


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model for one provider."""

    model: str | None
    note: str = ""
    refusal: LLMError | None = None


@dataclass(slots=True)
class Ticket:
    """What a request takes up while it is with a provider."""

    refusal: LLMError | None = None
    """Why it may not go there at all."""
    seconds: float = 0.0
    """How long it would have to wait."""
    why: str = ""


class Gate:
    """All that stands between a request and a provider."""

    is_remote = False
    """Whether its counts are on another machine."""

    def model(self, request: LLMRequest, stop: Stop, settings: Settings, *, first: bool) -> Chosen:
        """The model that this provider is asked for."""
        return Chosen(stop.model or request.model)

    def enter(
        self, request: LLMRequest, stop: Stop, provider: LLMProviderInterface, settings: Settings, *, needs: int
    ) -> Ticket:
        """Take up what the request needs there, or nothing of it."""
        return Ticket()

    def leave(self, ticket: Ticket, response: LLMResponse | None) -> None:
        """Give back what is not needed any more, and count what was used."""

    def window(self, provider: LLMProviderInterface, model: str) -> int:
        """How many tokens the model takes; 0 where that is not known."""
        return 0

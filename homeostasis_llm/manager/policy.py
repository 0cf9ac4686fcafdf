"""Settle how failures are met for one request: what the program said, else what the settings say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..config import RETRIES, Failover
from ..errors import InvalidRequestError
from .retries import RetryConfig

OnBreak = Literal["raise", "continue", "restart"]
"""What happens when a stream breaks after something of it was passed on."""

OnRefusal = Literal["raise", "fail_over"]
"""What happens when a provider's content filter refuses."""

OnOtherModel = Literal["drop", "refuse"]
"""What happens when a provider is to be asked for a model of somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How failures are met."""

    retries: RetryConfig
    on_break: OnBreak = "raise"
    on_refusal: OnRefusal = "raise"
    on_other_model: OnOtherModel = "drop"
    hedge: bool = False


class Policies:
    """What a program said, to be completed by the settings."""

    def __init__(
        self,
        retries: RetryConfig | None = None,
        on_break: OnBreak | None = None,
        on_refusal: OnRefusal | None = None,
        on_other_model: OnOtherModel | None = None,
        hedge: bool | None = None,
    ) -> None:
        """None leaves it to the settings. Raises `InvalidRequestError`."""
        words = (("on_break", on_break, OnBreak), ("on_refusal", on_refusal, OnRefusal))
        for name, given, allowed in (*words, ("on_other_model", on_other_model, OnOtherModel)):
            if given is not None:
                check_word(name, given, allowed)
        if retries is not None and not isinstance(retries, RetryConfig):
            raise InvalidRequestError(f"retry_config: must be a RetryConfig, got {type(retries).__name__}")
        said = {"on_break": on_break, "on_refusal": on_refusal, "on_other_model": on_other_model, "hedge": hedge}
        self._said: dict[str, Any] = {name: given for name, given in said.items() if given is not None}
        if retries is not None:
            self._said["retries"] = retries
        self._last: tuple[Failover, Policy] | None = None

    def under(self, failover: Failover) -> Policy:
        """What holds with these settings."""
        last = self._last
        if last is None or last[0] != failover:
            retries = self._said.get("retries") or RetryConfig(**{name: getattr(failover, name) for name in RETRIES})
            words = ("on_break", "on_refusal", "on_other_model", "hedge")
            chosen = {name: self._said.get(name, getattr(failover, name)) for name in words}
            last = self._last = (failover, Policy(retries=retries, **chosen))
        return last[1]


def check_word(name: str, given: object, allowed: Any) -> None:
    """Raise `InvalidRequestError` for a word that is not allowed there."""
    if given not in get_args(allowed):
        raise InvalidRequestError(f"{name}: must be one of {', '.join(get_args(allowed))}, got {given!r}")

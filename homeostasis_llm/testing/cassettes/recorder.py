"""Record a provider outside of any test: one question, as for a bug report, or the whole matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import LLMError
from ...provider import LLMProviderInterface
from ...request import LLMRequest
from .cassette import use_cassette
from .errors import CassetteError, SecretFoundError
from .matrix import CASES, Case, Outcome, ask


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one question."""

    name: str
    file: Path | None
    """None where nothing was saved."""
    problem: str = ""
    """Why not, or in which way the answer is not what the case is about."""


def record_one(provider: LLMProviderInterface, request: LLMRequest, file: Path, *, streamed: bool) -> Outcome:
    """Ask, and save what went over the wire; also where it failed, for that is what a report is about.

    Raises `SecretFoundError`, and `CassetteError` where nothing went over the wire.
    """
    case = Case(name="question", request=request, check=lambda _: None, streamed=streamed)
    with use_cassette(file, "rewrite") as cassette:
        outcome = ask(provider, case)
    if not cassette.data:
        told = f": {outcome.error}" if outcome.error is not None else ""
        raise CassetteError(f"{provider.name} has sent nothing over HTTP, so there is nothing to record{told}")
    return outcome


def record_matrix(
    make: Callable[[Case], LLMProviderInterface], folder: Path, *, small_context: bool = False
) -> Iterator[Recorded]:
    """Ask every question of the matrix of the provider that `make` makes for it, and save each in a file of its own.

    What is not as it should be is saved too, and its problem told: perhaps it is we who read it wrongly.
    """
    for case in CASES:
        if case.costly and not small_context:
            continue
        file = folder / f"{case.name}.yaml"
        problem = ""
        try:
            with make(case) as provider, use_cassette(file, "rewrite") as cassette:
                outcome = ask(provider, case)
        except (SecretFoundError, LLMError) as error:
            yield Recorded(case.name, None, str(error))
            continue
        try:
            case.check(outcome)
        except AssertionError as wrong:
            problem = str(wrong)
        yield Recorded(case.name, file if cassette.data else None, problem)

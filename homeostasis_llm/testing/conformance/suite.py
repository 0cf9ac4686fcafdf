"""All rules in one class, to be inherited."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .bench import Bench, bench_of
from .rules.answers import AnswerRules
from .rules.exposure import ExposureRules
from .rules.failures import FailureRules
from .rules.hygiene import HygieneRules
from .rules.identity import IdentityRules
from .rules.keys import KeyRules
from .rules.requests import RequestRules
from .rules.streams import StreamRules


class ProviderConformance(
    IdentityRules, RequestRules, AnswerRules, StreamRules, FailureRules, KeyRules, HygieneRules, ExposureRules
):
    """What every provider promises, as tests. See docs/conformance.md."""

    @pytest.fixture
    def bench(self, request: pytest.FixtureRequest) -> Iterator[Bench]:
        """The provider and the server of one test."""
        fault = self.known_faults.get(request.node.name) or self.known_faults.get(request.node.originalname)
        if fault is not None:
            request.applymarker(pytest.mark.xfail(reason=fault, strict=True))
        with bench_of(self) as bench:
            yield bench

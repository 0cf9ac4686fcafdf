"""The proof that the direct lane does for a provider what the full lane does.

It holds where every request is the same, and every recording and failure is read the same or better. What is found
against it is told in sentences that begin with the provider's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ..loopback import Loopback
from ..sent_by_litellm import Proxy
from .answers import Comparison, judged_requests, read_judgements, recordings
from .requests import address_differences, claimed, differences, row_differences


class Proof:
    """Tries one provider after the other. Use it as a context manager: it holds a server."""

    def __init__(self, loopback: Loopback) -> None:
        self._loopback, self._proxy = loopback, Proxy()
        self._comparison = Comparison(loopback)
        self._recordings = recordings()
        self._judged = read_judgements()
        self._judged_requests = judged_requests()

    def claimed(self) -> dict[str, list[str]]:
        """litellm's names of the providers that the direct lane can ask, each with the catalog's."""
        return claimed(self._loopback)

    def faults(self, litellm_name: str, names: list[str]) -> Iterator[str]:
        """What speaks against a provider; `names` are the catalog's for it."""
        return chain(self.request_faults(litellm_name, names), self.answer_faults(names))

    def request_faults(self, litellm_name: str, names: list[str]) -> Iterator[str]:
        """What does so in requests."""
        for name in names:
            found = chain(differences(name, self._loopback), address_differences(name, self._proxy))
            yield from (fault for fault in found if not fault.startswith(self._judged_requests))
        yield from row_differences(litellm_name, self._loopback)

    def answer_faults(self, names: list[str]) -> Iterator[str]:
        """What does so in answers."""
        for name in names:
            yield from self._comparison.unjudged(name, self._recordings.get(name, []), self._judged)
            yield from self._comparison.unjudged_failures(name, self._judged)

    def close(self) -> None:
        """Close all connections."""
        self._comparison.close()

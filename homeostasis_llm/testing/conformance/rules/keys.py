"""What a provider says of keys, and what it cannot say."""

from __future__ import annotations

import pytest

from ....errors import InvalidRequestError, LLMError
from ....keys.probe import check_key
from ..bench import Bench
from ..declarations import Declarations
from ..verdicts import broken, good, require

_OTHER = "sk-made-up-9876543210-another"

# What the check says of the key, and what the server had answered.
OUTCOMES = {"verified": 200, "rejected": 401, "no_credit": 402, "no_permission": 403, "rate_limited": 429}

_AS_GOOD = {"no_permission": "verified"}
"""A validate_key that returns True for a key that may not list models is right as well."""


class KeyRules(Declarations):
    """Keys."""

    def test_a_good_key_is_accepted(self, bench: Bench) -> None:
        bench.may_ask()
        found = good("validate_key", lambda: bench.provider.validate_key(self.key))
        require(found is True, f"validate_key returned {found!r} for a key that the server takes: return True.")

    def test_a_wrong_key_is_refused(self, bench: Bench) -> None:
        self.needs("needs_key")
        bench.fail(401, "Incorrect API key provided.")
        try:
            found = bench.provider.validate_key(_OTHER)
        except Exception as error:  # noqa: BLE001  # an author's code may raise anything
            broken(f"validate_key raised {type(error).__name__} ({error}) for a key that is refused: return False.")
        require(found is False, f"validate_key returned {found!r} for a key that is refused: return False.")

    @pytest.mark.parametrize("status", [500, 503])
    def test_a_failing_server_says_nothing_of_a_key(self, bench: Bench, status: int) -> None:
        self.needs("needs_key")
        bench.fail(status)
        _raises(bench, f"the server answered {status}")

    def test_a_dead_network_says_nothing_of_a_key(self, bench: Bench) -> None:
        self.needs("needs_key")
        bench.server.stop_listening()
        _raises(bench, "there was no connection")

    def test_the_key_that_is_checked_is_the_one_that_is_given(self, bench: Bench) -> None:
        self.needs("needs_key")
        server = bench.server
        good("validate_key", lambda: bench.provider.validate_key(_OTHER))
        require(server.count, "validate_key has asked nobody: only the provider can say whether it takes a key.")
        shown = [told for request in server.requests for told in (*request.headers.values(), request.query_string)]
        require(
            any(_OTHER in told for told in shown) and not any(self.key in told for told in shown),
            "validate_key(api_key) has sent another key than api_key: send the one that is given.",
        )

    def test_the_providers_own_key_stays(self, bench: Bench) -> None:
        self.needs("needs_key")
        server, provider = bench.server, bench.provider
        good("validate_key", lambda: provider.validate_key(_OTHER))
        server.forget()
        good("complete", bench.asking("complete"))
        require(
            not any(_OTHER in told for told in (*bench.sent.headers.values(), bench.sent.query_string)),
            "After validate_key(api_key) the provider asks with api_key: it is to be checked, not to be kept.",
        )

    def test_a_key_no_header_can_carry_is_refused(self, bench: Bench) -> None:
        self.needs("needs_key")
        server, provider = bench.server, bench.provider
        try:
            provider.api_key = "sk-made-up\n0123456789"
        except InvalidRequestError:
            return
        except Exception as error:  # noqa: BLE001  # as above
            broken(f"api_key = '…\\n…' raised {type(error).__name__}: leave the check to LLMProviderInterface.api_key.")
        _ = server
        broken("A key with a line break in it was accepted: leave api_key to LLMProviderInterface, which checks it.")

    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_the_key_check_tells(self, bench: Bench, outcome: str) -> None:
        self.needs("needs_key")
        if OUTCOMES[outcome] != 200:
            bench.fail(OUTCOMES[outcome], "no")
        self._check_says(bench, outcome)

    def test_the_key_check_tells_a_failing_server(self, bench: Bench) -> None:
        self.needs("needs_key")
        bench.fail(500)
        self._check_says(bench, "provider_down")

    def test_the_key_check_tells_a_dead_network(self, bench: Bench) -> None:
        self.needs("needs_key")
        bench.server.stop_listening()
        self._check_says(bench, "unreachable")

    def _check_says(self, bench: Bench, outcome: str) -> None:
        _ = bench.wire
        provider = bench.provider
        found = good("the key check", lambda: check_key(provider, self.key, base_url=bench.base_url))
        require(
            found.outcome in {outcome, _AS_GOOD.get(outcome)},
            f"The key check says {found.outcome} ({found.reason}), not {outcome}: let validate_key return False for a "
            "key that is refused, and raise the error (with its status_code) for everything else, also for keys that "
            "are known and may not ask now.",
        )


def _raises(bench: Bench, what: str) -> None:
    try:
        found = bench.provider.validate_key(_OTHER)
    except LLMError:
        return
    except Exception as error:  # noqa: BLE001  # as above
        broken(f"validate_key raised {type(error).__name__} ({error}) where {what}: raise an LLMError.")
    broken(
        f"validate_key returned {found!r} where {what}: raise the error. That says nothing of the key, and nobody "
        "shall "
        "throw a good one away."
    )

"""What a provider leaves behind: no key, no socket, no output; and how it stands threads and event loops."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import io
import os
import pickle
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ....provider import LLMProviderInterface
from ....response import LLMResponse
from ...faults.recorded import Request
from ..bench import WAYS, Bench
from ..declarations import Declarations
from ..said import says
from ..serving import Answered
from ..verdicts import broken, good, require
from .streams import LET_GO

_AT_ONCE = 6


class HygieneRules(Declarations):
    """Hygiene."""

    def test_no_key_is_shown(self, bench: Bench) -> None:
        provider = bench.provider
        for shown, what in ((repr(provider), "repr"), (str(provider), "str"), (repr(vars(provider)), "vars")):
            require(
                self.key not in shown,
                f"{what}(provider) shows the key: keep it in self.api_key, which hides it, and nowhere else.",
            )

    def test_copies_answer_as_well(self, bench: Bench) -> None:
        for made, how in ((copy.copy, "copy.copy"), (copy.deepcopy, "copy.deepcopy")):
            twin = _made(how, made, bench.provider)
            _answers(bench, twin, f"A {how} of the provider")
            twin.close()

    def test_a_copy_has_the_key(self, bench: Bench) -> None:
        twin = _made("copy.copy", copy.copy, bench.provider)
        require(twin.api_key == self.key, "A copy of the provider has lost the key: copy as LLMProviderInterface does.")

    def test_pickles_hold_no_key(self, bench: Bench) -> None:
        pickled = _made("pickle", _dumps, bench.provider)
        require(
            self.key.encode() not in pickled,
            "A pickle of the provider holds the key: begin with super().__getstate__(), which leaves it out.",
        )

    def test_a_pickled_provider_answers_as_well(self, bench: Bench) -> None:
        twin = _made("pickle", lambda provider: pickle.loads(_dumps(provider)), bench.provider)  # noqa: S301  # our own
        twin.api_key = self.key
        _answers(bench, twin, "A provider that was pickled")
        twin.close()

    def test_threads_may_share_it(self, bench: Bench) -> None:
        asks = self._questions(bench)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(lambda ask: good("complete in a thread", ask), asks("complete")))
        self._each_has_its_own(bench, answers, "threads")

    def test_tasks_may_share_it(self, bench: Bench) -> None:
        bench.may_ask()
        provider = bench.provider
        self._questions(bench)

        async def gather() -> list[LLMResponse]:
            return list(
                await asyncio.gather(*(provider.acomplete(bench.request(_question(n))) for n in range(_AT_ONCE)))
            )

        self._each_has_its_own(bench, good("acomplete in tasks", lambda: asyncio.run(gather())), "tasks")

    def test_event_loops_may_share_it(self, bench: Bench) -> None:
        asks = self._questions(bench)
        one_after_the_other = [good("acomplete in another event loop", ask) for ask in list(asks("acomplete"))[:2]]
        with ThreadPoolExecutor(2) as pool:
            at_once = list(pool.map(lambda ask: good("acomplete in event loops", ask), list(asks("acomplete"))[2:4]))
        self._each_has_its_own(bench, [*one_after_the_other, *at_once], "event loops")

    def _questions(self, bench: Bench) -> Callable[[str], Iterator[Callable[[], LLMResponse]]]:
        """Have the server answer each question by its number; and the questions, to be asked in a way."""
        if bench.suite.wire is not None:
            wire = bench.wire

            def script(request: Request) -> Answered:
                if wire.is_listing(request):
                    return bench.listing()
                number = re.search(rb"question (\d+)", request.body)
                return Answered(
                    media_type=wire.media_type,
                    body=wire.answer(says(f"answer {int(number[1]) if number else -1}"), request),
                )

            bench.server.answer(script)
        provider = bench.provider
        return lambda way: (bench.asking(way, bench.request(_question(n)), provider) for n in range(_AT_ONCE))

    def _each_has_its_own(self, bench: Bench, answers: list[LLMResponse], who: str) -> None:
        if bench.suite.wire is None:
            require(all(answer.content for answer in answers), f"Some of {_AT_ONCE} {who} had no answer.")
            return
        read = [answer.content for answer in answers]
        require(
            read == [f"answer {n}" for n in range(len(answers))],
            f"{len(answers)} {who} that shared the provider were answered {read}: keep nothing of a request in the "
            "provider itself.",
        )

    def test_nothing_is_left_open(self, bench: Bench) -> None:
        server, provider = bench.server, bench.provider
        for way in WAYS:
            good(way, bench.asking(way))
        provider.close()
        try:
            server.wait_until(lambda: server.open_connections == 0, timeout=LET_GO)
        except TimeoutError:
            broken(
                f"After close() {server.open_connections} connections are open: close your HTTP client there, and what "
                "an event loop has opened at the end of its call or when the loop ends."
            )

    def test_it_can_be_used_after_it_was_closed(self, bench: Bench) -> None:
        provider = bench.provider
        good("complete", bench.asking("complete"))
        provider.close()
        provider.close()
        for way in ("complete", "acomplete"):
            answer = good(f"{way} after close()", bench.asking(way))
            require(answer.content, f"{way} after close() answered nothing: make again what close() has given back.")

    def test_nothing_is_printed(self, bench: Bench) -> None:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            list(bench.answers())
            if bench.suite.wire is not None:
                bench.fail(500)
                list(bench.failures())
        printed = out.getvalue() + err.getvalue()
        require(not printed, f"The provider has printed {printed[:200]!r}: a library returns and raises, or logs.")

    def test_the_environment_is_left_alone(self, bench: Bench) -> None:
        before = dict(os.environ)
        list(bench.answers())
        changed = sorted(name for name in {*before, *os.environ} if before.get(name) != os.environ.get(name))
        require(
            not changed,
            f"The provider has changed the environment ({', '.join(changed)}): give keys and addresses to your client "
            "as arguments; child processes and other providers read the environment.",
        )


def _question(number: int) -> str:
    return f"This is question {number}."


def _dumps(provider: LLMProviderInterface) -> bytes:
    return pickle.dumps(provider)


def _made(how: str, make: Callable[[LLMProviderInterface], Any], provider: LLMProviderInterface) -> Any:
    try:
        return make(provider)
    except Exception as error:  # noqa: BLE001  # what an author's attributes raise is theirs
        broken(
            f"{how} of the provider raised {type(error).__name__} ({error}): leave clients, locks and files out in "
            "__getstate__, and make them again when they are needed."
        )


def _answers(bench: Bench, twin: LLMProviderInterface, what: str) -> None:
    for way in ("complete", "acomplete"):
        answer = good(f"{way} of a copy", bench.asking(way, provider=twin))
        require(answer.content, f"{what} answered nothing: make again in it what was left out.")

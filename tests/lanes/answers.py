"""Compare what both lanes read of what providers really sent; see `tests/wild/wild_records.py` for the recordings.

`judged.toml` lists the differences that are known, with a verdict: a direct lane may read better, or nobody minds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeostasis_llm import LLMMessage, LLMRequest
from homeostasis_llm.catalog import all_facts
from homeostasis_llm.litellm_bridge.pricing import list_price
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider

from ..loopback import Loopback
from ..wild.wild_records import WILD, Record, Replay, Route, read_records, route_of
from .both import LANES, Outcome, answer_differences, asked, on
from .requests import provider_of
from .spoken import spoken_by

TABLE = Path(__file__).with_name("judged.toml")

Differences = Mapping[str, tuple[object, object]]
"""What the full lane and the direct one read, by the name of what differs."""


@dataclass(frozen=True)
class Judgement:
    """Differences of one kind."""

    verdict: str
    """`better`: the direct lane reads what stands there. `equal`: both tell the same in other words.
    `worse`: something is lost that nobody here reads."""
    why: str
    about: frozenset[str]
    """What of the answer differs."""
    ids: frozenset[str]
    """The recordings' ids; of `spoken.py`'s failures, their names with hyphens."""


def read_judgements(table: Path = TABLE) -> list[Judgement]:
    """The table's rows."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["difference"]
    return [
        Judgement(row["verdict"], row["why"], frozenset(row["about"]), frozenset(row["ids"].split())) for row in rows
    ]


def judged_requests(table: Path = TABLE) -> tuple[str, ...]:
    """How the sentences about requests begin that are known to differ."""
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["request"]
    return tuple(begun for row in rows for begun in row["begins"])


def recordings() -> dict[str, list[Record]]:
    """Those that can be asked for, by the name of the provider that they are asked of."""
    if not WILD.is_dir():
        return {}
    found: dict[str, list[Record]] = {}
    for records in read_records().values():
        for record in records:
            if isinstance(route := route_of(record), Route):
                found.setdefault(route.name, []).append(record)
    return found


class _Priced(LiteLLMProvider):
    """It has its prices at any address."""

    def _cost(self, model: str, usage: Any) -> float | None:
        return list_price(model, self._litellm_name, usage)


class Comparison:
    """Reads recordings on both lanes."""

    def __init__(self, loopback: Loopback) -> None:
        self._loopback = loopback
        self._replay = Replay(loopback, _Priced)
        self._direct: dict[tuple[str, bool], bool] = {}
        """Whether an API's recordings take the direct lane at all, by its route's prefix and whether it streams."""

    def close(self) -> None:
        """Close the providers' connections."""
        self._replay.close()

    def differences(self, records: list[Record]) -> Iterator[tuple[Record, Differences]]:
        """The recordings that the direct lane reads otherwise than the full one."""
        for record in records:
            if (outcomes := self._outcomes(record)) is not None and (found := answer_differences(*outcomes)):
                yield record, found

    def unjudged(self, name: str, records: list[Record], judged: list[Judgement]) -> Iterator[str]:
        """Those of `differences` that no row of the table is about."""
        known = {(record_id, about) for row in judged for record_id in row.ids for about in row.about}
        for record, found in self.differences(records):
            for about, (full, direct) in found.items():
                if (record["id"], about) not in known:
                    yield f"{name}, recording {record['id']}: {about}: full {full!r:.300}, direct {direct!r:.300}"

    def unjudged_failures(self, name: str, judged: list[Judgement]) -> Iterator[str]:
        """Where another error comes of what is no answer."""
        known = {(record_id, about) for row in judged for record_id in row.ids for about in row.about}
        provider = provider_of(name, self._loopback.url)
        request = LLMRequest(messages=[LLMMessage(role="user", content="Hi")], model=provider.default_model or "m")
        for kind, reply in spoken_by(all_facts()[name].litellm_name).failures.items():
            self._loopback.always(**reply)
            for stream in (False, True):
                outcomes = []
                for lane in LANES:
                    with on(lane):
                        outcomes.append(asked(provider, request, self._loopback, stream=stream))
                for about, (full, direct) in answer_differences(*outcomes).items():
                    if (kind.replace(" ", "-"), about) not in known:
                        way = ", stream" if stream else ""
                        yield f"{name}, {kind}{way}: {about}: full {full!r:.400}, direct {direct!r:.400}"
        provider.close()

    def _outcomes(self, record: Record) -> tuple[Outcome, Outcome] | None:
        route = route_of(record)
        assert isinstance(route, Route), route
        kind = (f"{route.name}/{route.prefix}", bool(record["stream"]))
        if not self._direct.get(kind, True):
            return None
        provider, request = self._replay.prepared(record)
        with on("direct"):
            direct = asked(provider, request, self._loopback, stream=record["stream"])
        takes = self._direct.setdefault(kind, any(sent.lane == "direct" for sent in direct.sent))
        if not takes:
            return None
        with on("full"):
            return asked(provider, request, self._loopback, stream=record["stream"]), direct

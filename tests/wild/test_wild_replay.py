"""What providers really sent, from a local server through litellm to our values.

The table of what is known to be read wrong is strict: a recording that is read right must be taken out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from ..loopback import Loopback
from .wild_records import ROUTES, WILD, Differences, Record, Replay, Route, read_records, route_of
from .wild_wrong import known_faults, read_faults

pytestmark = [
    pytest.mark.skipif(not WILD.is_dir(), reason="the recordings are not beside the checkout: ../shared/wild"),
    # What runtime.py silences for users; pytest puts its own filters in that place for each test.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]

FAULTS = known_faults(read_faults())

each_provider = pytest.mark.parametrize("provider", sorted({provider for provider, _ in ROUTES}))


@pytest.fixture(scope="module")
def records() -> dict[str, list[Record]]:
    """Those that can be asked for, by provider."""
    return {
        provider: [record for record in known if isinstance(route_of(record), Route)]
        for provider, known in read_records().items()
    }


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    """One for all: a provider's client takes longer to make than an answer to read."""
    with Loopback() as loopback:
        replaying = Replay(loopback)
        yield replaying
        replaying.close()


@each_provider
def test_answers_are_read_as_they_stand_there(provider: str, records: dict[str, list[Record]], replay: Replay) -> None:
    _check(records[provider], replay.wrong(records[provider]))


@each_provider
def test_answers_are_read_as_they_stand_there_from_an_event_loop(
    provider: str, records: dict[str, list[Record]], replay: Replay
) -> None:
    whole = [record for record in records[provider] if not record["stream"]]
    streams = [record for record in records[provider] if record["stream"]]

    _check(whole, replay.awrong(whole))
    _check(streams, replay.awrong(streams, pieces=64))


@pytest.mark.parametrize("pieces", [1, 7])
@each_provider
def test_streams_may_be_cut_anywhere(
    provider: str, pieces: int, records: dict[str, list[Record]], replay: Replay
) -> None:
    streams = [record for record in records[provider] if record["stream"] and _sampled(record, pieces)]

    _check(streams, replay.wrong(streams, pieces=pieces))


def test_the_table_names_no_recording_that_is_not_there(records: dict[str, list[Record]]) -> None:
    assert FAULTS.keys() <= {record["id"] for known in records.values() for record in known}


def _sampled(record: Record, pieces: int) -> bool:
    """A third of the streams, and of those in single bytes the short ones: some thousand pieces take seconds."""
    return int(record["id"], 16) % 3 == 0 and len(record["body"]) < pieces * 10_000


def _check(records: Iterable[Record], found: Iterable[tuple[str, Differences]]) -> None:
    known = {record["id"]: FAULTS[record["id"]] for record in records if record["id"] in FAULTS}
    wrong = dict(found)
    unexpected = {record_id: about for record_id, about in wrong.items() if set(about) != known.get(record_id)}
    mended = known.keys() - wrong.keys()
    assert not unexpected, "\n".join(f"{record_id}: {about}" for record_id, about in unexpected.items())
    assert not mended, f"now read right: take {sorted(mended)} out of wild_wrong.toml, and run wild_page.py"

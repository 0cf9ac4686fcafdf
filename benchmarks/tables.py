"""From results to tables: for the terminal, for the page, and for the charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from . import cases
from .arithmetic import excess, ratio
from .cases import ABANDONED, CALLS, GROWN, PIECES, SCALES, scaled
from .results import Results, Series

BARE = {True: "httpx", False: "aiohttp"}
"""What bare HTTP is, for sync and for async callers."""
CHAT = "ChatHomeostasis(provider)"


@dataclass(frozen=True, slots=True)
class Table:
    """One table, and what its chart shows."""

    name: str
    """The chart's file."""
    title: str
    about: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    chart: dict[str, float]
    unit: str


def tables(results: Results) -> list[Table]:
    """All that there are figures for."""
    found = [
        *_cases(results),
        *_scales(results),
        *_growth(results),
        _starts(results),
        _embedded(results),
        *_profiles(results),
    ]
    return [table for table in found if table.rows]


def text(table: Table) -> str:
    """For the terminal."""
    lines = [table.columns, *table.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    shown = [
        "  "
        + "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    return "\n".join([table.title, *shown, ""])


def number(value: float) -> str:
    """With three significant digits, and no more than there are."""
    if value != 0 and abs(value) < 1:
        return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A table of one case: what is taken of each round."""

    name: str
    case: str
    title: str
    about: str
    value: Callable[[Series], list[float]]
    unit: str
    p99: bool = True
    more_is_better: bool = False


def _of(key: str, scale: float) -> Callable[[Series], list[float]]:
    return lambda series: [value * scale for value in series[key]]  # type: ignore[literal-required]  # one of its lists


def _per_second(series: Series) -> list[float]:
    return [series["times"] / wall for wall in series["wall"]]


def _cpu_per_piece(pieces: int) -> Callable[[Series], list[float]]:
    return lambda series: [cpu / series["times"] / pieces * 1e6 for cpu in series["cpu"]]


_MS = _of("middle", 1000)
_IN_ONE = "The whole stream, from asking to its end."
_SHOWN = (
    _Shown("call", cases.CALL, "One call", "A short question and a short answer, one by one.", _MS, "ms"),
    _Shown(
        "async", cases.ACALL, "100 calls at once", "Short calls by async callers, 100 of them at any time.",
        _per_second, "calls/s", p99=False, more_is_better=True,
    ),
    _Shown("stream-200", cases.STREAM, "A stream of 200 pieces", _IN_ONE, _MS, "ms"),
    _Shown("async-stream-200", cases.ASTREAM, "An async stream of 200 pieces", _IN_ONE, _MS, "ms"),
    _Shown("stream-2000", cases.LONG_STREAM, "A stream of 2,000 pieces", _IN_ONE, _MS, "ms"),
    _Shown("async-stream-2000", cases.LONG_ASTREAM, "An async stream of 2,000 pieces", _IN_ONE, _MS, "ms"),
    _Shown(
        "cpu", cases.STREAM, "Processor time for each piece of a stream",
        "In all threads of the process: a library may do its bookkeeping behind the caller's back.",
        _cpu_per_piece(PIECES[cases.STREAM]), "µs", p99=False,
    ),
    _Shown(
        "async-cpu", cases.ASTREAM, "Processor time for each piece of an async stream", "Likewise.",
        _cpu_per_piece(PIECES[cases.ASTREAM]), "µs", p99=False,
    ),
    _Shown("tool", cases.TOOL, "A tool call in 40 pieces", "Streamed; its arguments are put together.", _MS, "ms"),
)  # fmt: skip


def _cases(results: Results) -> list[Table]:
    found = [_comparison(results, shown) for shown in _SHOWN if results["cases"].get(shown.case)]
    for case, title in ((cases.STREAM, "To the first piece"), (cases.ASTREAM, "To the first piece, async")):
        found.append(_first_pieces(results, case, title))
    return found


def _comparison(results: Results, shown: _Shown) -> Table:
    series = results["cases"][shown.case]
    values = {name: shown.value(each) for name, each in series.items()}
    bare = BARE[_is_sync(shown.case)]
    columns = ("", f"median, {shown.unit}", *(("p99, ms",) if shown.p99 else ()), f"to {bare}", f"{CHAT} to it")
    rows = []
    for name, rounds in values.items():
        middle = [number(median(rounds))]
        if shown.p99:
            middle.append(number(series[name]["p99"] * 1000))
        ratios = [_ratio(values, name, bare), _ratio(values, CHAT, name)]
        rows.append((name, *middle, *ratios))
    better = "more is better" if shown.more_is_better else "less is better"
    chart = {name: median(rounds) for name, rounds in values.items()}
    return Table(shown.name, shown.title, shown.about, columns, rows, chart, f"{shown.unit}, {better}")


def _is_sync(case: str) -> bool:
    return "async" not in case


def _ratio(values: dict[str, list[float]], one: str, other: str) -> str:
    return number(ratio(values[one], values[other])) if other in values and one in values else "-"


def _first_pieces(results: Results, case: str, title: str) -> Table:
    bare = BARE[_is_sync(case)]
    series = {name: each["first"] for name, each in results["cases"].get(case, {}).items() if each["first"]}
    rows = []
    for name, rounds in series.items():
        more = number(1000 * excess(rounds, series[bare])) if bare in series else "-"
        rows.append((name, number(1000 * median(rounds)), more))
    about = f"From asking for a stream to its first piece of text, and how much more that is than {bare} takes."
    columns = ("", "median, ms", f"more than {bare}, ms")
    chart = {name: 1000 * median(rounds) for name, rounds in series.items()}
    return Table("first" if _is_sync(case) else "async-first", title, about, columns, rows, chart, "ms, less is better")


_SCALE_TITLES = {
    cases.MESSAGES: ("Number of messages", "One call whose conversation has so many messages of 20 characters."),
    cases.CHARACTERS: ("Size of the prompt", "One call with one message of so many characters."),
    cases.PROVIDERS: ("Number of providers", "One call; so many providers could be asked, and the first one answers."),
    cases.STREAMS: (
        "Streams at once",
        "Streams of 50 pieces by async callers: what one takes, of so many at any time.",
    ),
}


def _scales(results: Results) -> list[Table]:
    found = []
    for scale, sizes in SCALES.items():
        known = [size for size in sizes if results["cases"].get(scaled(scale, size))]
        by_size = {size: results["cases"][scaled(scale, size)] for size in known}
        names = list(dict.fromkeys(name for series in by_size.values() for name in series))
        title, about = _SCALE_TITLES[scale]
        # With many at once, it is the whole that counts: the wait of each has that of all others in it.
        times = {name: {size: _each(by_size[size][name]) for size in known if name in by_size[size]} for name in names}
        rows = [(name, *(number(at[size]) if size in at else "-" for size in known)) for name, at in times.items()]
        chart = {name: at[known[-1]] for name, at in times.items() if known[-1] in at}
        columns = ("ms", *(f"{size:,}" for size in known))
        unit = f"ms at {known[-1]:,}, less is better" if known else ""
        found.append(Table(scale.replace(" ", "-"), title, about, columns, rows, chart, unit))
    return found


def _each(series: Series) -> float:
    """Milliseconds for each, by the clock."""
    return median(wall / series["times"] * 1000 for wall in series["wall"])


def _growth(results: Results) -> list[Table]:
    found = []
    for what, title in ((CALLS, "calls"), (ABANDONED, "abandoned streams")):
        rows, chart = [], {}
        for name, growth in results["growth"].get(what, {}).items():
            scale = GROWN[what] / (growth["times"] / 3)
            last, kept = growth["kilobytes"][-1] * scale, growth["objects"][-1] * scale
            rows.append((name, f"{growth['times']:,}", f"{last:,.0f}", f"{kept:,.0f}", str(growth["files"][-1])))
            chart[name] = max(0.0, last)
        about = f"What the process has more, for {what}, after the last third of as many as the column says."
        if what == ABANDONED:
            about += " Who leaves a stream has read three of its 200 pieces."
        columns = ("", "done", "kB", "objects", "open files")
        name = "memory-calls" if what == CALLS else "memory-streams"
        found.append(
            Table(name, f"Memory for {GROWN[what]:,} {title}", about, columns, rows, chart, "kB, less is better")
        )
    return found


def _starts(results: Results) -> Table:
    rows, chart, starts = [], {}, results["starts"]
    nothing = starts.get("python -c pass")
    for name, times in starts.items():
        if times:
            more = number(1000 * excess(times, nothing)) if nothing else "-"
            rows.append((name, number(1000 * median(times)), more))
            chart[name] = 1000 * median(times)
    about = "A process, from its start to its end: what importing, each command and a first answer take."
    columns = ("", "median, ms", "more than Python itself, ms")
    return Table("starts", "Cold start", about, columns, rows, chart, "ms, less is better")


def _embedded(results: Results) -> Table:
    found = results["embedded"]
    own = next(iter(found.values()), [])
    rows = [(name, number(median(paces)), number(ratio(paces, own))) for name, paces in found.items()]
    chart = {name: median(paces) for name, paces in found.items()}
    about = "How fast the packaged model writes, asked through us, beside what llama.cpp says of itself."
    columns = ("", "tokens/s", "to llama.cpp")
    return Table("embedded", "The embedded model", about, columns, rows, chart, "tokens/s, more is better")


def _profiles(results: Results) -> list[Table]:
    found = []
    for what, by_client in results["profiles"].items():
        for client, shares in by_client.items():
            shown: Sequence[tuple[str, float]] = [
                (whose, share * 100) for whose, share in shares.items() if share >= 0.01
            ]
            found.append(
                Table(
                    f"profile-{what.replace(' ', '-')}",
                    f"Where the time of a {what} goes",
                    f"{client}, by whose code Python's profiler found at work, which makes small functions look larger "
                    "than they are. Less than 1 % is left out.",
                    ("package", "share, %"),
                    [(whose, number(share)) for whose, share in shown],
                    dict(shown),
                    "%",
                )
            )
    return found

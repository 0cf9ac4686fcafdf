"""Write docs/real-traffic.md: `python -m tests.wild.wild_page`.

The counts follow from the recordings and from the table of what is read wrong, which the replay holds true.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from .wild_records import Record, is_asked, read_records, route_of
from .wild_wrong import Fault, known_faults, read_faults

PAGE = Path(__file__).parents[2] / "docs" / "real-traffic.md"

_INTRODUCTION = """\
# Real traffic

Providers send other things than their documentation says. So the tests serve {asked:,} of {records:,} recorded
exchanges from a local server, each with the status, headers and body that the provider once sent, and compare what our
provider reads with what stands there: the text, the thoughts, the tool calls, the usage, why the answer ended, the
model and the error. Each is asked for with and without `await`; streams come whole and in pieces of 64 bytes, a third
of them also in pieces of 7 and, the shorter ones, of single bytes.

The recordings are those of public projects' test suites and are not part of this repository; they lie beside it, in
`../shared/wild`, and the tests are skipped where they do not. `python -m tests.wild.wild_page` writes this page.

## How many are read right

"Not asked" are recordings of what is no chat (embeddings, listings of models, counts of tokens, completions without
messages) and of APIs that litellm does not know. Writer's and Aleph Alpha's are read by our own adapters, in
`adapters/writer` and `adapters/aleph_alpha`.
"""

_ROUTES = """
Vertex AI's answers are read over Gemini's route, since litellm would ask Google for credentials before it asks a
model; both have one form. Over OpenAI's route go second interfaces (the OpenAI-compatible ones of Anthropic, Gemini,
Ollama and Amazon, the Responses API of other providers than Azure) and Snowflake, whose Claude models litellm asks
over another API. What was asked is always the same short question: only what comes back is compared.

Where a model writes its thoughts into the text between tags, litellm takes them out; that counts as right. So does a
call of tools where a provider has one word for its end and that of any answer.

## What is read wrong

The table is `tests/wild/wild_wrong.toml`. The tests fail for a recording that is read wrong and is not in it, and for
one that is in it and is read right.

| whose fault | what | recordings |
|---|---|---|
"""


def page(records: Mapping[str, Sequence[Record]], faults: Sequence[Fault]) -> str:
    """The whole page."""
    total = sum(map(len, records.values()))
    asked = total - _not_asked(records).total()
    return "".join(
        [
            _INTRODUCTION.format(asked=asked, records=total),
            "\n",
            counts(records, faults),
            _ROUTES,
            *(f"| {fault.whose} | {fault.why} | {_ids(fault)} |\n" for fault in faults),
            "\n## What is not asked\n\n| why | recordings |\n|---|---|\n",
            *(f"| {why} | {number} |\n" for why, number in sorted(_not_asked(records).items())),
        ]
    )


def counts(records: Mapping[str, Sequence[Record]], faults: Sequence[Fault]) -> str:
    """The table of right, wrong and not asked, per provider."""
    known = known_faults(faults)
    lines = ["| provider | recordings | right | wrong | not asked |\n|---|--:|--:|--:|--:|\n"]
    sums = [0, 0, 0, 0]
    for provider, all_of_it in sorted(records.items()):
        asked = [record for record in all_of_it if is_asked(record)]
        wrong = sum(record["id"] in known for record in asked)
        row = [len(all_of_it), len(asked) - wrong, wrong, len(all_of_it) - len(asked)]
        sums = [sum(pair) for pair in zip(sums, row, strict=True)]
        lines.append(f"| {provider} | {' | '.join(map(str, row))} |\n")
    return "".join([*lines, f"| **all** | {' | '.join(f'**{number}**' for number in sums)} |\n"])


def _not_asked(records: Mapping[str, Sequence[Record]]) -> Counter[str]:
    return Counter(
        str(route_of(record)) for all_of_it in records.values() for record in all_of_it if not is_asked(record)
    )


def _ids(fault: Fault) -> str:
    return " ".join(f"`{record_id}`" for record_id in sorted(fault.ids))


if __name__ == "__main__":
    found, wrong = read_records(), read_faults()
    PAGE.write_text(page(found, wrong), encoding="utf-8")
    sys.stdout.write(counts(found, wrong))

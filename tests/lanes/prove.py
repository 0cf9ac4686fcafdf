"""Write `proven.toml`: the providers for which the direct lane does what the full lane does. Run it from the checkout:

    uv run python -m tests.lanes.prove

What speaks against the others is printed. It takes a minute.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from homeostasis_llm.litellm_bridge.lanes import TABLE

from ..loopback import Loopback
from ..personal import is_personal
from ..wild.wild_records import WILD
from .proof import Proof

_HEAD = """\
# litellm's names of the providers whose requests and answers are proven to be the same on both lanes.
# Written by `uv run python -m tests.lanes.prove`; the tests compare.
"""


def table(proven: Iterable[str]) -> str:
    """The table's text."""
    lines = "".join(f'    "{name}",\n' for name in sorted(proven))
    return f"{_HEAD}direct = [\n{lines}]\n" if lines else f"{_HEAD}direct = []\n"


def main() -> None:
    """Try all providers."""
    if not WILD.is_dir():
        sys.exit(f"The proof needs the recordings, and they are not at {WILD}.")
    for name in filter(is_personal, list(os.environ)):
        del os.environ[name]
    proven = []
    with Loopback() as loopback:
        proof = Proof(loopback)
        for litellm_name, names in sorted(proof.claimed().items()):
            faults = list(proof.faults(litellm_name, names))
            found = f"{len(faults)} differences" if faults else "proven"
            sys.stdout.write("\n  ".join([f"{litellm_name}: {found}", *faults[:10]]) + "\n")
            proven += [] if faults else [litellm_name]
        proof.close()
    TABLE.write_text(table(proven), encoding="utf-8")


if __name__ == "__main__":
    main()

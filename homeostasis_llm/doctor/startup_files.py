"""Find the files by which installed packages run code whenever Python starts, and tell those that must not be there.

A line that begins with `import` in a `.pth` file of site-packages is run at each start of Python, whatever is imported
(https://docs.python.org/3/library/site.html). litellm 1.82.8 came with such a file, litellm_init.pth, which sent away
every credential that it found (PYSEC-2026-2), and which a later version does not remove.
"""

from __future__ import annotations

import re
import site
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path

from .finding import Finding, State

STOLEN = (
    "Delete it, make this environment anew, and replace every key and password that this machine could see: they were "
    "sent away (https://github.com/BerriAI/litellm/issues/24518)."
)

_TOPIC = "startup files"
_KNOWN_BAD = "litellm_init.pth"

_EXPECTED = {"_virtualenv.pth": "import _virtualenv"}
"""What makers of virtual environments put there, which belongs to no package."""

_RUNS = re.compile(r"^import[ \t]", re.MULTILINE)

_HIDES = re.compile(
    r"subprocess|popen|os\.system|base64|b64decode|urllib|http\.client|socket|marshal|zlib", re.IGNORECASE
)
"""What no package needs before anything is imported: starting programs, unpacking hidden code, asking the network."""


def startup_files(folders: Iterable[str] | None = None) -> Iterator[Finding]:
    """What is to be said of the `.pth` files in `folders`, by default those that this Python reads."""
    running: list[tuple[Path, str]] = []
    for path in _pth_files(_folders() if folders is None else folders):
        try:
            text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as error:
            yield Finding(_TOPIC, State.WARN, f"{path} cannot be read: {error.strerror or error}")
            continue
        if path.name == _KNOWN_BAD:
            yield Finding(_TOPIC, State.FAIL, f"{path} is what a trojanised litellm left behind", STOLEN)
        elif _RUNS.search(text) and text.strip() != _EXPECTED.get(path.name):
            running.append((path, text))
    owners = _owners() if running else {}
    for path, text in running:
        owner = owners.get(path.resolve())
        whose = "belongs to no installed package" if owner is None else f"comes with {owner}"
        if _HIDES.search(text):
            yield Finding(
                _TOPIC,
                State.FAIL,
                f"{path} {whose}, and starts programs, unpacks code or asks the network at each start of Python",
                "Read it; unless you know what it is for, take this machine for broken into.",
            )
        elif owner is None:
            yield Finding(
                _TOPIC,
                State.WARN,
                f"{path} {whose}, and runs code at each start of Python",
                "Read it, and delete it unless you know what it is for.",
            )
    kept = sorted(
        {owner for path, text in running if (owner := owners.get(path.resolve())) and not _HIDES.search(text)}
    )
    yield Finding(
        _TOPIC, State.OK, f"code of {', '.join(kept)} runs at each start of Python" if kept else "none runs code"
    )


def _folders() -> list[str]:
    found = site.getsitepackages()
    return [*found, site.getusersitepackages()] if site.ENABLE_USER_SITE else found


def _pth_files(folders: Iterable[str]) -> Iterator[Path]:
    # Of lib and lib64, one may be a link to the other.
    for folder in dict.fromkeys(Path(folder).resolve() for folder in folders):
        yield from sorted(folder.glob("*.pth"))


def _owners() -> dict[Path, str]:
    """Which distribution has installed which `.pth` file."""
    return {
        Path(str(distribution.locate_file(file))).resolve(): distribution.name
        for distribution in distributions()
        for file in distribution.files or ()
        if file.suffix == ".pth"
    }

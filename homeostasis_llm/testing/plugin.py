"""Play and make recordings in pytest: the fixture and the marker `llm_cassette`.

Registered as a plugin of pytest's, it is imported in every project that has this package installed. So it imports
nothing but pytest; what it works with is imported by the first test that asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .cassettes import Cassette, Options

_LONGEST_NAME = 150
"""Characters of a file's name; file systems take 255 bytes."""

_OPTIONS = {"timing", "ignore", "scrub", "keep_headers", "hosts"}

_failed = pytest.StashKey[bool]()
_users = pytest.StashKey[dict[Path, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--llm-live`, and where recordings are."""
    group = parser.getgroup("recording")
    group.addoption(
        "--llm-live",
        action="store_true",
        default=False,
        help="Have tests with llm_cassette ask for real, and fail where answers no longer have the recorded form.",
    )
    parser.addini("llm_cassette_dir", "The folder of recordings, from the root directory.", default="cassettes")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "llm_cassette(name=None, *, timing='at once', ignore=(), scrub=(), keep_headers=(), hosts={}): "
        "answer the test's HTTP requests from a recording.",
    )


@pytest.hookimpl
def pytest_itemcollected(item: pytest.Item) -> None:
    """Have the marker ask for the fixture, before the test's own fixtures are made."""
    if item.get_closest_marker("llm_cassette") is None or not isinstance(item, pytest.Function):
        return
    if "llm_cassette" not in item.fixturenames:
        own = item.function.__code__.co_varnames[: item.function.__code__.co_argcount]
        first = next((index for index, name in enumerate(item.fixturenames) if name in own), len(item.fixturenames))
        item.fixturenames.insert(first, "llm_cassette")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:  # noqa: ARG001  # pytest's names
    """Note whether a test with a recording has failed."""
    report = yield
    if "llm_cassette" in getattr(item, "fixturenames", ()) and report.failed:
        item.stash[_failed] = True
    return report


@pytest.fixture(scope="session")
def llm_asks_for_real(request: pytest.FixtureRequest) -> bool:
    """Whether requests may leave for real in this run: `--llm-live`, or any `--record-mode` but `none`."""
    return bool(request.config.getoption("--llm-live")) or request.getfixturevalue("record_mode") != "none"


@pytest.fixture
def llm_cassette(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """The recording that answers the HTTP requests of this test: `cassettes/<module>/<test>.yaml`.

    Played to its end by default; made anew with `--record-mode=rewrite`.
    """
    if missing := _missing(request.config):
        pytest.fail(
            f"llm_cassette needs {' and '.join(missing)}: pip install 'homeostasis-llm[testing]'", pytrace=False
        )
    from .cassettes import Cassette, NotRecordedError
    from .cassettes.cassette import patched
    from .cassettes.errors import CassetteError

    live = bool(request.config.getoption("--llm-live"))
    marker = request.node.get_closest_marker("llm_cassette")
    path = _path(request, marker)
    try:
        cassette = Cassette(path, "live" if live else request.getfixturevalue("record_mode"), _options(marker))
    except CassetteError as error:
        pytest.fail(str(error), pytrace=False)
    if live and not path.exists():
        pytest.skip(f"{path} is not recorded, so there is nothing to compare with")
    with _network(request, wanted=live or cassette.is_recording), patched(cassette):
        yield cassette
    failed = request.node.stash.get(_failed, False)
    problem = ""
    try:
        # A test that failed has perhaps not asked all; what was good before stays.
        if not (failed and path.exists()):
            cassette.save(test=request.node.nodeid)
        if not failed:
            cassette.verify()
    except (CassetteError, NotRecordedError) as error:
        problem = str(error)
    if problem:
        pytest.fail(problem, pytrace=False)


def _missing(config: pytest.Config) -> list[str]:
    """The packages of the extra `testing` that are not there."""
    found = {"vcrpy": find_spec("vcr") is not None, "pyyaml": find_spec("yaml") is not None}
    found["pytest-recording"] = config.getoption("--record-mode", "absent") != "absent"
    return [name for name, there in found.items() if not there]


def _path(request: pytest.FixtureRequest, marker: pytest.Mark | None) -> Path:
    config = request.config
    folder = config.rootpath / str(config.getini("llm_cassette_dir"))
    named = marker.args[0] if marker is not None and marker.args else None
    if named is not None:
        return folder / f"{named}.yaml"
    test = request.node.name if request.cls is None else f"{request.cls.__name__}.{request.node.name}"
    path = folder / request.path.stem / f"{_file_name(test)}.yaml"
    users = config.stash.setdefault(_users, {})
    other = users.setdefault(path, request.node.nodeid)
    if other != request.node.nodeid:
        pytest.fail(
            f"{path} is the recording of {other} already: rename this test or its file, or name a recording: "
            "@pytest.mark.llm_cassette('name')",
            pytrace=False,
        )
    return path


def _file_name(test: str) -> str:
    """The name of a test as that of a file, on every system."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "-", test)
    if name == test and len(name.encode()) <= _LONGEST_NAME:
        return name
    return f"{name.encode()[:_LONGEST_NAME].decode(errors='ignore')}-{sha256(test.encode()).hexdigest()[:8]}"


def _options(marker: pytest.Mark | None) -> Options:
    from .cassettes import Options, Rules

    given = dict(marker.kwargs) if marker is not None else {}
    if unknown := given.keys() - _OPTIONS:
        pytest.fail(f"llm_cassette has no option {min(unknown)!r}; it has {', '.join(sorted(_OPTIONS))}", pytrace=False)
    rules = Rules(**{name: given.pop(name) for name in ("scrub", "keep_headers", "hosts") if name in given})
    return Options(rules=rules, **given)


class _network:  # noqa: N801  # used like a function
    """Let requests out while they are wanted, where `--block-network` keeps them in."""

    def __init__(self, request: pytest.FixtureRequest, *, wanted: bool) -> None:
        self._blocked = bool(request.config.getoption("--block-network", False)) and wanted
        self._allowed = request.getfixturevalue("allowed_hosts") if self._blocked else None

    def __enter__(self) -> None:
        if self._blocked:
            from pytest_recording import network

            network.unblock()

    def __exit__(self, *_: object) -> None:
        if self._blocked:
            from pytest_recording import network

            network.block(allowed_hosts=self._allowed)

"""The fixture and the marker `llm_cassette`, as a project uses them: pytest is run in a folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import homeostasis_llm.testing.cassettes.live  # noqa: F401  # what runs in this process shall find all of it loaded
from homeostasis_llm import ChatHomeostasis
from homeostasis_llm.testing.cassettes import use_cassette  # noqa: F401  # as above
from tests.loopback import Loopback

TEST = """
import httpx, pytest

def ask(path="/v1/chat", **body):
    return httpx.post(URL + path, json=body).json()
"""


PLUGINS = ("homeostasis_llm.testing.plugin", "pytest_recording.plugin", "pytest_asyncio.plugin")


def run(pytester: pytest.Pytester, *arguments: str, plugins: tuple[str, ...] = PLUGINS) -> pytest.RunResult:
    """Run pytest in this process, with these plugins alone: a process of its own takes seconds to start."""
    named = [word for plugin in plugins for word in ("-p", plugin)]
    scope = "-oasyncio_default_fixture_loop_scope=function" if "pytest_asyncio.plugin" in plugins else "-v"
    return pytester.runpytest_inprocess(*named, scope, "-p", "no:cacheprovider", *arguments)


class Project:
    """A project with one file of tests, whose requests go to a server of this machine."""

    def __init__(self, pytester: pytest.Pytester, url: str) -> None:
        self._pytester, self.url = pytester, url
        self.folder = pytester.path

    def run(self, tests: str, *arguments: str) -> pytest.RunResult:
        """Run pytest over `tests`, with `arguments`."""
        self.write(tests)
        return run(self._pytester, *arguments)

    def write(self, tests: str) -> None:
        """Put `tests` into the project's file of tests."""
        self._pytester.makepyfile(test_it=f"URL = {self.url!r}\n{TEST}\n{tests}")

    def recordings(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.yaml"))


@pytest.fixture
def project(pytester: pytest.Pytester, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loopback.always(json={"answer": 1})
    return Project(pytester, loopback.url)


MARKED = """
@pytest.mark.llm_cassette
def test_ask():
    assert ask(a=1) == {"answer": 1}
"""


def test_the_marker_records_once_and_plays_from_then_on(project: Project, loopback: Loopback) -> None:
    project.run(MARKED, "--record-mode=once").assert_outcomes(passed=1)
    project.run(MARKED).assert_outcomes(passed=1)
    project.run(MARKED, "--block-network").assert_outcomes(passed=1)

    assert project.recordings() == ["cassettes/test_it/test_ask.yaml"]
    assert "test: test_it.py::test_ask" in (project.folder / "cassettes/test_it/test_ask.yaml").read_text()
    assert len(loopback.requests) == 1


def test_without_a_recording_a_test_fails_and_says_how_to_make_one(project: Project, loopback: Loopback) -> None:
    result = project.run(MARKED)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*There is no such file. Record it: pytest --record-mode=once*"])
    assert loopback.requests == []
    assert project.recordings() == []


def test_the_fixture_does_what_the_marker_does_and_says_what_is_going_on(project: Project) -> None:
    tests = """
def test_ask(llm_cassette, llm_asks_for_real):
    assert llm_cassette.is_recording is llm_asks_for_real
    llm_cassette.note = "Made for a test."
    assert ask(a=1) == {"answer": 1}
"""
    project.run(tests, "--record-mode=once").assert_outcomes(passed=1)
    project.run(tests).assert_outcomes(passed=1)

    assert "note: Made for a test." in (project.folder / "cassettes/test_it/test_ask.yaml").read_text()


def test_what_the_fixtures_of_a_marked_test_ask_is_recorded_too(project: Project, loopback: Loopback) -> None:
    tests = """
@pytest.fixture
def greeting():
    return ask(fixture=1)

@pytest.mark.llm_cassette
def test_ask(greeting):
    assert ask(a=1) == greeting
"""
    project.run(tests, "--record-mode=once").assert_outcomes(passed=1)
    project.run(tests).assert_outcomes(passed=1)

    assert len(loopback.requests) == 2


def test_async_tests_and_classes_and_parameters_have_recordings_of_their_own(project: Project) -> None:
    tests = """
pytestmark = pytest.mark.llm_cassette

@pytest.mark.asyncio
async def test_async():
    async with httpx.AsyncClient() as client:
        assert (await client.get(URL)).json() == {"answer": 1}

class TestClass:
    def test_ask(self):
        ask()

@pytest.mark.parametrize("word", ["a/b:c", "x" * 400, "ü"])
def test_word(word):
    ask(word=word)
"""
    project.run(tests, "--record-mode=once").assert_outcomes(passed=5)
    project.run(tests).assert_outcomes(passed=5)

    names = [name.removeprefix("cassettes/test_it/") for name in project.recordings()]
    assert "TestClass.test_ask.yaml" in names
    assert len(names) == 5
    assert all(len(name.encode()) < 200 and ":" not in name for name in names)


def test_a_recording_may_be_named_and_the_folder_chosen(project: Project, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nllm_cassette_dir = tests/recordings\n")
    tests = MARKED.replace("llm_cassette", "llm_cassette('shared/greeting')")

    project.run(tests, "--record-mode=once").assert_outcomes(passed=1)

    assert project.recordings() == ["tests/recordings/shared/greeting.yaml"]


def test_a_test_that_does_not_ask_all_that_is_recorded_fails(project: Project) -> None:
    project.run(MARKED.replace("assert", "ask(b=2); assert"), "--record-mode=once").assert_outcomes(passed=1)

    result = project.run(MARKED)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*recorded, but not asked by the test: 1. POST http://localhost/v1/chat*"])


def test_a_test_that_asks_something_else_fails_with_the_difference(project: Project) -> None:
    project.run(MARKED, "--record-mode=once").assert_outcomes(passed=1)

    result = project.run(MARKED.replace("a=1", "a=2"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a: sent 2, recorded 1*"])


def test_a_test_that_swallows_it_fails_all_the_same(project: Project) -> None:
    project.run(MARKED, "--record-mode=once").assert_outcomes(passed=1)

    result = project.run(MARKED + "    try: ask(b=2)\n    except BaseException: pass\n")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*Nothing is recorded that has not been played already*"])


def test_a_test_that_fails_leaves_the_recording_as_it_was(project: Project) -> None:
    project.run(MARKED, "--record-mode=once").assert_outcomes(passed=1)
    file = project.folder / "cassettes/test_it/test_ask.yaml"
    before = file.read_bytes()

    project.run(MARKED.replace('== {"answer": 1}', "== 2"), "--record-mode=rewrite").assert_outcomes(failed=1)

    assert file.read_bytes() == before


def test_a_first_recording_is_kept_although_the_test_fails_for_it_has_cost_something(project: Project) -> None:
    project.run(MARKED.replace('== {"answer": 1}', "== 2"), "--record-mode=once").assert_outcomes(failed=1)

    project.run(MARKED).assert_outcomes(passed=1)


def test_a_key_in_what_is_answered_fails_the_test_and_nothing_is_saved(project: Project, loopback: Loopback) -> None:
    loopback.always(json={"answer": 1, "for": "of-nobody-4711"})
    tests = """
@pytest.mark.llm_cassette
def test_ask():
    httpx.get(URL, headers={"x-api-key": "of-nobody-4711"})
"""
    result = project.run(tests, "--record-mode=once")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*not saved, for a key stands in exchanges?0?.response.json, line 3*"])
    assert project.recordings() == []
    assert "of-nobody-4711" not in "\n".join(line for line in result.outlines if "httpx.get" not in line)


def test_a_broken_recording_fails_its_test_in_one_line(project: Project) -> None:
    file = project.folder / "cassettes/test_it/test_ask.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("version: 1\nexchanges:\n- request:\n")

    result = project.run(MARKED)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"{file}: does not end with `...`: it was cut off; record it again"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_two_tests_of_one_name_do_not_share_a_recording_unknown_to_each_other(
    project: Project, pytester: pytest.Pytester
) -> None:
    for folder in ("one", "two"):
        pytester.mkdir(folder).joinpath("test_same.py").write_text(f"URL = {project.url!r}\n{TEST}\n{MARKED}")

    result = run(pytester, "--record-mode=once", "--import-mode=importlib", "one", "two")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*is the recording of one/test_same.py::test_ask already: rename this test*"])


def test_a_mistyped_option_is_refused_by_name(project: Project) -> None:
    result = project.run(MARKED.replace("llm_cassette", "llm_cassette(timming='recorded')"))

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*llm_cassette has no option 'timming'; it has *timing*"])


def test_options_reach_the_recording(project: Project) -> None:
    marker = (
        "llm_cassette(ignore=['run'], scrub=['answ[a-z]+'], timing='recorded', hosts={'x': 'y'}, keep_headers=['z'])"
    )
    tests = MARKED.replace("llm_cassette", marker).replace('{"answer": 1}', "ANSWER")

    project.run('ANSWER = {"answer": 1}\n' + tests, "--record-mode=once").assert_outcomes(passed=1)
    played = tests.replace("a=1", "a=1, run=7")

    project.run('ANSWER = {"[key removed]": 1}\n' + played).assert_outcomes(passed=1)


def test_recording_works_where_the_network_is_blocked_for_all_other_tests(project: Project) -> None:
    tests = (
        MARKED
        + """
def test_other():
    import socket
    with socket.socket() as plain, pytest.raises(RuntimeError, match="Network is disabled"):
        plain.connect(("127.0.0.1", 9))
"""
    )
    project.run(tests, "--record-mode=once", "--block-network").assert_outcomes(passed=2)


def test_live_asks_for_real_and_is_content_with_other_words(project: Project, loopback: Loopback) -> None:
    tests = MARKED.replace('== {"answer": 1}', "")
    project.run(tests, "--record-mode=once").assert_outcomes(passed=1)
    file = project.folder / "cassettes/test_it/test_ask.yaml"
    before = file.read_bytes()
    loopback.always(json={"answer": 7})

    project.run(tests, "--llm-live").assert_outcomes(passed=1)

    assert len(loopback.requests) == 2
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"json": {"answer": "1"}}, "answer: text, recorded as a number"),
        ({"json": {"answer": 1, "more": None}}, "more: new, null"),
        ({"json": {}}, "answer: no longer there, recorded as a number"),
        ({"json": {"answer": 1}, "status": 201}, "status: 201, recorded 200"),
        ({"body": "<html>", "headers": {"content-type": "text/html"}}, "content-type: text/html, recorded"),
    ],
)
def test_live_fails_where_answers_no_longer_have_the_recorded_form(
    answer: dict[str, object], told: str, project: Project, loopback: Loopback
) -> None:
    tests = MARKED.replace('assert ask(a=1) == {"answer": 1}', "httpx.get(URL)")
    project.run(tests, "--record-mode=once").assert_outcomes(passed=1)
    loopback.always(**answer)  # type: ignore[arg-type]  # see Scripted

    result = project.run(tests, "--llm-live")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([f"*{told}*"])


def test_live_compares_streams_by_their_events_and_not_by_their_number(project: Project, loopback: Loopback) -> None:
    tests = MARKED.replace('assert ask(a=1) == {"answer": 1}', "httpx.get(URL)")
    loopback.always(chunks=['event: delta\ndata: {"text": "a"}\n\n'] * 3 + ["data: [DONE]\n\n"])
    project.run(tests, "--record-mode=once").assert_outcomes(passed=1)

    loopback.always(chunks=['event: delta\ndata: {"text": "b"}\n\n'] * 5 + ["data: [DONE]\n\n"])
    project.run(tests, "--llm-live").assert_outcomes(passed=1)
    loopback.always(chunks=['event: delta\ndata: {"text": "b"}\n\n'] * 5)
    result = project.run(tests, "--llm-live")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*data: ?DONE?: no longer there, recorded as an event*"])


def test_live_skips_what_is_not_recorded_by_name(project: Project, loopback: Loopback) -> None:
    result = project.run(MARKED, "--llm-live", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*test_ask.yaml is not recorded, so there is nothing to compare with*"])
    assert loopback.requests == []


def test_where_pytest_recording_is_missing_the_command_that_installs_it_is_told(
    project: Project, pytester: pytest.Pytester
) -> None:
    project.write(MARKED)

    result = run(pytester, plugins=PLUGINS[:1])

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*llm_cassette needs pytest-recording: pip install 'homeostasis-llm?testing?'*"])


def test_a_project_that_does_not_use_it_pays_nothing_for_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        test_idle="import sys\ndef test_idle():\n    print('LOADED', *sorted(sys.modules))\n    assert True\n"
    )
    loaded = []
    for plugins in (PLUGINS[1:2], PLUGINS[:2]):
        named = [word for plugin in plugins for word in ("-p", plugin)]
        result = pytester.runpytest_subprocess(*named, "-s")
        result.assert_outcomes(passed=1)
        line = next(line for line in result.outlines if "LOADED" in line)
        loaded.append(set(line.split()))

    ours = {"homeostasis_llm", "homeostasis_llm.testing", "homeostasis_llm.testing.plugin"}
    assert loaded[1] - loaded[0] == ours


def test_the_marker_is_known_where_unknown_ones_are_errors(project: Project) -> None:
    project.run(MARKED, "--record-mode=once", "--strict-markers", "-W", "error").assert_outcomes(passed=1)


def test_the_folder_of_recordings_is_that_of_the_project_wherever_pytest_is_started(
    project: Project, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\n")
    inner = Path(pytester.mkdir("inner"))
    (inner / "test_it.py").write_text(f"URL = {project.url!r}\n{TEST}\n{MARKED}")
    monkeypatch.chdir(inner)

    run(pytester, "--record-mode=once", "test_it.py").assert_outcomes(passed=1)

    assert project.recordings() == ["cassettes/test_it/test_ask.yaml"]


def test_the_example_of_the_guide_records_and_plays(
    pytester: pytest.Pytester, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "cassettes.md").read_text(encoding="utf-8")
    example = guide.partition("```python\n")[2].partition("```")[0]
    pytester.makepyfile(test_capital=example)
    loopback.always(json={"choices": [{"message": {"content": "It is Paris."}, "finish_reason": "stop"}]})
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "any-will-do")
    monkeypatch.setenv("HOMEOSTASIS_OPENAI_BASE_URL", f"{loopback.url}/v1")

    # What is loaded while pytest runs in this process is forgotten afterwards, and litellm takes seconds to load.
    ChatHomeostasis(model="openai:gpt-5.4-mini").invoke("Hello")

    run(pytester, "--record-mode=once").assert_outcomes(passed=1)
    run(pytester, "--block-network").assert_outcomes(passed=1)

    assert len(loopback.requests) == 2
    assert (pytester.path / "cassettes/test_capital/test_the_model_knows_the_capital.yaml").exists()

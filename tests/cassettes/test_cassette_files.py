"""A file is read as it was written; what is no recording, or no longer one, is refused in one clear line."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr  # type: ignore[import-untyped]  # ships no types
import yaml
from hypothesis import given
from hypothesis import strategies as st

from homeostasis_llm.testing.cassettes import UnreadableCassetteError, bodies, file_format, safe_yaml, use_cassette
from homeostasis_llm.testing.cassettes.file_format import Answer, Exchange, Recording
from homeostasis_llm.testing.cassettes.matching import Sent
from tests.loopback import Loopback

GOOD = """\
version: 1
exchanges:
- request: {method: GET, url: "http://localhost/v1"}
  response:
    status: 200
    headers: {content-type: application/json}
    json: '{"a": 1}'
...
"""


def text_of(recording: Recording) -> str:
    return safe_yaml.dump(file_format.as_document(recording))


@given(
    body=st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))),
    content_type=st.sampled_from(["application/json", "text/event-stream", "application/x-ndjson", "text/html", ""]),
)
def test_every_body_comes_back_as_it_was(body: bytes, content_type: str) -> None:
    answer = Answer(status=200, headers={"content-type": [content_type]}, body=body)
    sent = Sent("POST", "http://localhost/", body, content_type)

    again = file_format.parse(text_of(Recording(exchanges=[Exchange(sent=sent, answer=answer)])), "it")

    for back in (again.exchanges[0].answer.body, again.exchanges[0].sent.body):
        if back != body:  # JSON is indented, with the same values
            assert json.loads(back) == json.loads(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.booleans())
def test_every_json_comes_back_with_the_same_values(found: Any, ascii_only: bool) -> None:
    body = json.dumps(found, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    back = bodies.give_back(safe_yaml.load(safe_yaml.dump(bodies.keep(body)), "it"), "it")

    assert json.loads(back) == found


@pytest.mark.parametrize(
    "body",
    ['{"a": 1, "a": 2}', '{"a": 1e999}', '{"a": 0.12345678901234567891}', '{"a": "\\ud800"}', "[NaN]", "7", '"x"'],
)
def test_json_that_would_come_back_as_another_is_kept_as_text(body: str) -> None:
    kept = bodies.keep(body.encode(), "application/json")

    assert kept == {"text": body}


def test_events_stand_as_their_lines_and_json_is_indented() -> None:
    assert bodies.keep(b"data: {}\r\n\r\ndata: [DONE]\r\n\r\n", "text/event-stream") == {
        "sse": "data: {}\n\ndata: [DONE]\n\n",
        "line_ends": "CRLF",
    }
    assert bodies.keep('{"a":"ü🥐"}'.encode()) == {"json": '{\n  "a": "ü🥐"\n}'}


BAD = {
    "empty": ("", "is empty"),
    "only a comment": ("# hello\n", "is empty"),
    "text": ("hello", "must be a mapping, not str"),
    "a list": ("- a\n- b\n", "must be a mapping, not list"),
    "json of something else": ('{"log": {"entries": []}}', "is no recording of ours or of vcrpy's"),
    "a later version": (GOOD.replace("version: 1", "version: 7"), "version: is 7; this program reads 1"),
    "cut in a text": (GOOD[:-7], "is no YAML"),
    "cut between two lines": (GOOD[:-4], "does not end with `...`: it was cut off; record it again"),
    "without its answer": (GOOD.partition("  response")[0] + "...\n", r"exchanges\[0\]: has no `response`"),
    "broken JSON": (GOOD.replace('{"a": 1}', '{"a": 1'), r"exchanges\[0\]\.response\.json: is no JSON"),
    "JSON that was not quoted": (GOOD.replace("'{\"a\": 1}'", '{"a": 1}'), r"response\.json: must be text, not dict"),
    "a status in words": (GOOD.replace("200", "fine"), r"response\.status: must be an HTTP status, not 'fine'"),
    "no status": (GOOD.replace("status: 200", "reason: OK"), r"response\.status: must be an HTTP status, not None"),
    "a status that is a switch": (GOOD.replace("200", "yes"), "must be an HTTP status, not True"),
    "a number for a header": (GOOD.replace("application/json", "7"), "content-type: must be text; put it in quotes"),
    "two bodies": (GOOD.replace("...", "    text: hello\n..."), "has both json and text"),
    "a word that is unknown": (GOOD.replace("...", "    jsonn: hello\n..."), "has no place for 'jsonn'"),
    "an entry that is unknown": (GOOD.replace("...", "notes: hello\n..."), "has no place for 'notes'"),
    "exchanges in a mapping": ("version: 1\nexchanges: {}\n...\n", "exchanges: must be a list, not dict"),
    "bad base64": (GOOD.replace("json: '{\"a\": 1}'", "base64: 'a'"), r"response\.base64:"),
    "an alias": ("a: &a [1]\nb: *a\n", "line 2: holds an alias"),
    "Python code": ('!!python/object/apply:os.system ["touch harmed"]', "holds the tag .*which could run code"),
    "deep": ("[" * 5000 + "]" * 5000, "more than 60 levels"),
    "a tab": ("a:\tb\n\tc: d", "is no YAML"),
    "NUL": ("version: 1\0", "is no YAML"),
    "vcrpy without response": (
        "version: 1\ninteractions:\n- request: {method: GET, uri: 'http://x/', body: null, headers: {}}\n",
        r"interactions\[0\]: is not as vcrpy writes it: has no 'response'",
    ),
    "vcrpy with a strange body": (
        "version: 1\ninteractions:\n- request: {method: GET, uri: 'http://x/', body: 7, headers: {}}\n  response: {}\n",
        r"interactions\[0\]: is not as vcrpy writes it: a body that is a int",
    ),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_what_is_no_recording_is_refused_in_one_line(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(UnreadableCassetteError, match=told) as caught, use_cassette(tmp_path / "it.yaml"):
        pass

    assert str(caught.value).startswith(str(tmp_path / "it.yaml"))
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "harmed").exists()


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(UnreadableCassetteError, match="is no UTF-8 text"), use_cassette(tmp_path / "it.yaml"):
        pass


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCassetteError, match="cannot be read: Is a directory"), use_cassette(tmp_path):
        pass


@pytest.mark.parametrize("every", range(len(GOOD) - 1))
def test_a_file_cut_anywhere_is_refused_or_no_recording(every: int, tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_text(GOOD[:every], encoding="utf-8")

    with pytest.raises(UnreadableCassetteError):
        file_format.read(tmp_path / "it.yaml")


def test_a_small_file_that_would_be_a_huge_one_is_refused_at_once(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines), encoding="utf-8")
    read = (
        "import sys; from pathlib import Path; from homeostasis_llm.testing.cassettes.file_format import read; "
        "read(Path(sys.argv[1]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", read, str(tmp_path / "bomb.yaml")],
        env=child_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)),
    )

    assert "holds an alias, which could make a small file a huge one; it is not read" in done.stderr


def test_a_body_that_unpacks_to_a_huge_one_is_refused() -> None:
    import zlib

    packer = zlib.compressobj()
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()

    with pytest.raises(UnreadableCassetteError, match="unpacks to more than 256 MB"):
        bodies.unpacked(packed, "deflate")


@pytest.mark.parametrize("packed", [False, True])
def test_a_recording_of_plain_vcrpy_plays(packed: bool, loopback: Loopback, tmp_path: Path) -> None:
    import gzip

    answer = {"choices": [{"message": {"content": "Grüße 🥐"}}]}
    raw = json.dumps(answer).encode()
    loopback.reply(
        body=gzip.compress(raw) if packed else raw,
        headers={"content-type": "application/json", **({"content-encoding": "gzip"} if packed else {})},
    )
    file = tmp_path / "it.yaml"
    with vcr.use_cassette(str(file)):
        httpx.post(f"{loopback.url}/v1/chat?key=abc", json={"a": 1}, headers={"authorization": "Bearer of-nobody"})

    with use_cassette(file):
        played = httpx.post("http://localhost/v1/chat?key=another", json={"a": 1.0})

    assert played.json() == answer
    assert file_format.read(file).foreign


def test_what_is_added_to_a_recording_of_vcrpys_makes_it_one_of_ours_without_its_secrets(
    loopback: Loopback, tmp_path: Path
) -> None:
    loopback.always(json={})
    file = tmp_path / "it.yaml"
    with vcr.use_cassette(str(file)):
        httpx.get(f"{loopback.url}/one", headers={"authorization": "Bearer of-nobody"})
    assert "of-nobody" in file.read_text(encoding="utf-8")

    with use_cassette(file, "new_episodes"):
        httpx.get(f"{loopback.url}/two")

    assert "of-nobody" not in file.read_text(encoding="utf-8")
    assert [one.sent.url for one in file_format.read(file).exchanges] == [
        "http://localhost/one",
        "http://localhost/two",
    ]


def test_what_is_written_is_yaml_that_any_program_reads(loopback: Loopback, tmp_path: Path) -> None:
    loopback.reply(chunks=["data: {}\n\n", "data: [DONE]\n\n"])
    with use_cassette(tmp_path / "it.yaml", "once") as cassette:
        cassette.note = "How it came about."
        httpx.get(loopback.url)

    read = yaml.safe_load((tmp_path / "it.yaml").read_text(encoding="utf-8"))

    assert read["note"] == "How it came about."
    assert read["exchanges"][0]["response"]["sse"] == "data: {}\n\ndata: [DONE]\n\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "it.yaml"]

"""Models from Hugging Face, which is played by a server on loopback that speaks its protocol."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider, hub

from homeostasis_llm import ModelNotFoundError

from .asked import asked

FILES = {
    "README.md": b"A model.",
    "mmproj-F16.gguf": b"GGUF eyes",
    "small-Q4_K_M.gguf": b"GGUF small",
    "small-Q8_0.gguf": b"GGUF larger",
    "huge-F16-00001-of-00002.gguf": b"GGUF first half",
    "huge-F16-00002-of-00002.gguf": b"GGUF second half",
}
COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """Three endpoints: what a repository is, which files it has, and a file."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        repository, _, name = path.removeprefix("/").partition("/resolve/main/")
        if "gated" in path:
            self._send(403, b"", {"X-Error-Code": "GatedRepo"})
        elif "nobody" in path:
            self._send(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif path.startswith("/api/models/owner/repository/tree/main"):
            files = [{"type": "file", "path": name, "size": len(body), "oid": "0"} for name, body in FILES.items()]
            self._send(200, json.dumps(files).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/api/models/owner/repository"):
            told = {"id": "owner/repository", "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES]}
            self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})
        elif repository == "owner/repository" and name in FILES:
            self._send(200, FILES[name], {"ETag": f'"{name}"', "X-Repo-Commit": COMMIT})
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# huggingface_hub reads its endpoint and its cache's place when it is imported: hence in a process of its own.
FIND = """
import sys
from homeostasis_llm import LLMError
from homeostasis_llm_llama_cpp import models
for name in sys.argv[1:]:
    try:
        found = models.find(name).path
        print(found.name, "|", found.read_bytes().decode(), "|", *sorted(file.name for file in found.parent.iterdir()))
    except LLMError as error:
        print(type(error).__name__, error)
"""


@pytest.fixture
def find(endpoint: str, tmp_path: Path, child_environment: dict[str, str]) -> Finder:
    return Finder({**child_environment, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_XET": "1"})


class Finder:
    """Finds models in a process of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __call__(self, *names: str, **environment: str) -> list[str]:
        """A line for each name: the file and what is in it, or the error."""
        ended = subprocess.run(
            [sys.executable, "-c", FIND, *names],
            capture_output=True,
            text=True,
            env={**self.environment, **environment},
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.splitlines()


def test_models_are_downloaded_once_and_found_without_network_afterwards(find: Finder) -> None:
    wanted = ["owner/repository", "owner/repository:Q8_0", "owner/repository:huge-F16-00001-of-00002.gguf"]

    small, large, huge = find(*wanted)
    again = find(*wanted, HF_ENDPOINT="http://127.0.0.1:9")

    assert small.startswith("small-Q4_K_M.gguf | GGUF small | ")
    assert large.startswith("small-Q8_0.gguf | GGUF larger | ")
    name, content, beside = huge.split(" | ")
    assert (name, content) == ("huge-F16-00001-of-00002.gguf", "GGUF first half")
    assert "huge-F16-00002-of-00002.gguf" in beside.split()
    assert [line.rsplit(" | ", 1)[0] for line in again] == [line.rsplit(" | ", 1)[0] for line in (small, large, huge)]


def test_what_hugging_face_does_not_give_is_one_clear_line(find: Finder) -> None:
    no_such_file, no_repository, gated = find("owner/repository:Q2_K", "owner/nobody", "owner/gated")

    assert no_such_file == (
        "ModelNotFoundError owner/repository has no one model for 'Q2_K': name one, as in "
        "owner/repository:huge-F16-00001-of-00002.gguf; there are huge-F16-00001-of-00002.gguf, small-Q4_K_M.gguf, "
        "small-Q8_0.gguf"
    )
    assert no_repository == "ModelNotFoundError Hugging Face has no repository owner/nobody"
    assert gated == (
        "PermissionDeniedError owner/gated is open only to those who have agreed to its terms at Hugging Face: "
        "do that there, then set HF_TOKEN"
    )


def test_without_network_it_says_so(find: Finder) -> None:
    (told,) = find("owner/repository", HF_ENDPOINT="http://127.0.0.1:9")

    assert told.startswith("LLMConnectionError cannot get owner/repository from Hugging Face: ")


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (["only.gguf", "README.md"], None, "only.gguf"),
        (["a-Q4_K_M.gguf", "a-Q8_0.gguf"], None, "a-Q4_K_M.gguf"),
        (["a-Q4_K_M.gguf", "a-Q8_0.gguf"], "q8_0", "a-Q8_0.gguf"),
        (["a-Q4_K_M.gguf", "a-Q4_K_M-v2.gguf"], "a-Q4_K_M.gguf", "a-Q4_K_M.gguf"),
        (["big/a-00001-of-00003.gguf", "big/a-00002-of-00003.gguf"], None, "big/a-00001-of-00003.gguf"),
        (["a.gguf", "mmproj-a.gguf"], None, "a.gguf"),
    ],
)
def test_the_file_that_is_meant_is_chosen(names: list[str], wanted: str | None, chosen: str) -> None:
    assert hub.choose(names, wanted, "owner/repository") == chosen


@pytest.mark.parametrize("names", [[], ["README.md"], ["model.safetensors"]])
def test_a_repository_without_a_model_says_so(names: list[str]) -> None:
    with pytest.raises(ModelNotFoundError, match="owner/repository has no GGUF model"):
        hub.choose(names, None, "owner/repository")


def test_a_choice_that_is_not_clear_lists_the_candidates() -> None:
    with pytest.raises(ModelNotFoundError, match=r"several models: name one, as in o/r:a\.gguf; there are a.* b"):
        hub.choose(["b.gguf", "a.gguf"], None, "o/r")


def test_without_huggingface_hub_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda _: None)  # uninstalling it would do the same

    with pytest.raises(ModelNotFoundError, match=r"pip install 'homeostasis-llm-llama-cpp\[huggingface\]'$"):
        LlamaCppProvider(model="owner/repository").complete(asked("Hello"))

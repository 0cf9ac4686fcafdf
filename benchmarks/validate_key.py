# ruff: noqa: INP001  # run as a script, from a folder that is no package
"""How much longer a key check takes than the bare HTTP request in it: both as a process of their own, on loopback.

    python benchmarks/validate_key.py [RUNS]

A check shall take no longer than the round trip, Python's start and the import of httpx, which is what the bare request
takes. The server refuses the key, so that both ask once. Runs alternate, so that both meet the same load.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

BODY = b'{"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}'

BARE = """
import httpx
answer = httpx.get("{url}/models", headers={{"Authorization": "Bearer k3y"}})
assert answer.status_code == 401
"""
CHECK = """
from homeostasis_llm.keys.probe import check_key
found = check_key("groq", "k3y", base_url="{url}")
assert found.outcome == "rejected", found
"""


COMMAND = """
import os, sys
os.environ |= {{"GROQ_API_KEY": "k3y", "HOMEOSTASIS_GROQ_BASE_URL": "{url}"}}
sys.argv = ["homeostasis", "llm", "validate-key", "groq"]
from homeostasis_llm.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 1, end.code
"""


class Refuses(BaseHTTPRequestHandler):
    """Refuses every key."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as OpenAI does."""
        self.send_response(401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def seconds(code: str, compiled: str) -> float:
    """What a process takes that runs `code`; `compiled` is a folder for what it compiles."""
    root = Path(__file__).parent.parent
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    started = time.perf_counter()
    subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", code],
        check=True,
        env={**mine, "PYTHONPATH": str(root), "PYTHONPYCACHEPREFIX": compiled},
        cwd=root,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server, TemporaryDirectory() as compiled:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        codes = {
            name: code.format(url=url)
            for name, code in (("bare httpx", BARE), ("check_key", CHECK), ("validate-key", COMMAND))
        }
        for code in codes.values():  # the first run compiles
            seconds(code, compiled)
        took: dict[str, list[float]] = {name: [] for name in codes}
        for _ in range(runs):
            for name, code in codes.items():
                took[name].append(seconds(code, compiled))
        server.shutdown()
    middles = {name: statistics.median(times) for name, times in took.items()}
    for name, times in took.items():
        print(f"{name:12} median {middles[name]:.3f} s, from {min(times):.3f} to {max(times):.3f}")  # noqa: T201
    for name in ("check_key", "validate-key"):
        print(f"ratio of the medians, {name}: {middles[name] / middles['bare httpx']:.2f}")  # noqa: T201


if __name__ == "__main__":
    main()

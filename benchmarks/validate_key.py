"""How much longer a key check takes than the bare HTTP request in it: both as a process of their own, on loopback.

    python benchmarks/validate_key.py [RUNS]

A check shall take no longer than the round trip, Python's start and the import of httpx, which is what the bare request
takes. The server refuses the key, so that all ask once. Runs alternate, so that all meet the same load; medians, and in
brackets by how much they are longer than the bare request's.
"""

from __future__ import annotations

import os
import resource
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


def took(code: str, compiled: str) -> tuple[float, float]:
    """Seconds for a process that runs `code`, by the clock and of the processor; `compiled` is for what it compiles."""
    root = Path(__file__).parent.parent
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", code],
        check=True,
        env={**mine, "PYTHONPATH": str(root), "PYTHONPYCACHEPREFIX": compiled},
        cwd=root,
        stdout=subprocess.DEVNULL,
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
            took(code, compiled)
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
        for _ in range(runs):
            for name, code in codes.items():
                measured[name].append(took(code, compiled))
        server.shutdown()
    middles = {name: [statistics.median(times) for times in zip(*both, strict=True)] for name, both in measured.items()}
    clock, processor = middles["bare httpx"]
    for name, (by_clock, of_processor) in middles.items():
        print(  # noqa: T201
            f"{name:12}  by the clock {by_clock:.3f} s ({by_clock / clock:.2f}), "
            f"of the processor {of_processor:.3f} s ({of_processor / processor:.2f})"
        )


if __name__ == "__main__":
    main()

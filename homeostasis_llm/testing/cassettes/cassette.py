"""Play a recording to the clients of this process, or make one: vcrpy's cassette with other rules."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from vcr.cassette import Cassette as VcrCassette  # type: ignore[import-untyped]  # ships no types
from vcr.patch import CassettePatcherBuilder  # type: ignore[import-untyped]
from vcr.record_mode import RecordMode  # type: ignore[import-untyped]
from vcr.request import Request as VcrRequest  # type: ignore[import-untyped]

from . import scrubbing
from .errors import ChangedAnswerError, NotPlayedError, NotRecordedError
from .file_format import NONE, Answer, Exchange, Recording, clean_answer, clean_request, read, write
from .matching import Sent, difference, same
from .secrets import remember_environment, remember_sent
from .waiting import as_of_now, at_once

Mode = Literal["none", "once", "new_episodes", "all", "rewrite", "live"]
"""As pytest-recording has them; `live` asks for real, compares with the recording and writes nothing."""

Timing = Literal["at once", "recorded"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a recording is made and played."""

    timing: Timing = "at once"
    """`recorded`: streams come as slowly as they did, and who was told to wait is told so again."""
    ignore: Sequence[str] = ()
    """Places in JSON bodies that may differ from what was recorded, as in `metadata.run_id` or `messages.*.id`."""
    rules: scrubbing.Rules = field(default_factory=scrubbing.Rules)


class Cassette(VcrCassette):  # type: ignore[misc]  # vcrpy ships no types
    """A recording that is being played, made or compared."""

    def __init__(self, path: Path, mode: Mode, options: Options | None = None) -> None:
        """Reads the file, if it is to be played. Raises `UnreadableCassetteError`."""
        self.options = options or Options()
        super().__init__(
            str(path),
            record_mode=RecordMode.NONE if mode == "live" else RecordMode(mode if mode != "rewrite" else "all"),
            match_on=(self._matches,),
            before_record_request=self._clean_request,
            before_record_response=self._clean_response,
        )
        self.dirty = False
        self.path = path
        self.live = mode == "live"
        self.recording = Recording()
        self.missed: list[str] = []
        """What was asked and is not recorded, each with the nearest recording."""
        self.changed: list[str] = []
        """How what was answered for real differs from the recording."""
        self._lock = threading.RLock()
        self._awaited: list[int] = []
        if mode not in {"all", "rewrite"} and path.exists():
            self.recording = read(path)
            self.data = [(_as_vcr_request(one), _as_vcr_response(one.answer)) for one in self.recording.exchanges]
            self.rewound = True

    @property
    def note(self) -> str:
        """What a reader should know of how the recording came about. Set it while recording."""
        return self.recording.note

    @note.setter
    def note(self, text: str) -> None:
        self.recording.note = text

    @property
    def is_recording(self) -> bool:
        """Whether a request that is not recorded is sent for real, and its answer kept."""
        return not self.live and not self.write_protected

    @property
    def write_protected(self) -> bool:
        """Whether nothing may be added."""
        return not self.live and bool(super().write_protected)

    def can_play_response_for(self, request: Any) -> bool:
        """Whether the answer is recorded. Raises `NotRecordedError` if it is not, and nobody may be asked for it."""
        with self._lock:
            if self.live:
                self._await(request)
                return False
            if super().can_play_response_for(request):
                return True
            if self.write_protected:
                raise self._not_recorded(request)
            return False

    def play_response(self, request: Any) -> dict[str, Any]:
        """The next answer to `request`, as of now. It is vcrpy that asks, which knows of no failed connections."""
        played = self._play(request)
        if played["status"]["code"] == NONE:
            raise ConnectionError(played["broken"])
        return played

    def _play(self, request: Any) -> dict[str, Any]:
        with self._lock:
            answer = _as_answer(super().play_response(request))
        return _as_vcr_response(as_of_now(answer) if self.options.timing == "recorded" else at_once(answer))

    def take(self, request: Any) -> dict[str, Any] | None:
        """The recorded answer to `request`, None where it is to be asked for real. For several threads at once."""
        with self._lock:
            return self._play(request) if self.can_play_response_for(request) else None

    def append(self, request: Any, response: dict[str, Any]) -> None:
        """Keep an exchange that has just been; or, live, compare it."""
        with self._lock:
            if not self.live:
                super().append(request, response)
                return
            from .live import compare

            index = self._awaited.pop(0)
            recorded = _as_answer(self.data[index][1])
            told = clean_answer(_as_answer(response), self.options.rules)
            if changes := list(compare(told, recorded)):
                self.changed.append("\n".join([_as_sent(self.data[index][0]).title, *changes]))

    def save(self, *, test: str = "") -> bool:
        """Write what is new, if anything is. Raises `SecretFoundError`."""
        if not self.dirty:
            return False
        remember_environment()
        self.recording = replace(
            self.recording,
            exchanges=[
                Exchange(sent=_as_sent(request), headers=_listed(request.headers), answer=_as_answer(response))
                for request, response in self.data
            ],
            recorded_at=datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d"),
            recorded_by=f"homeostasis-llm {version('homeostasis-llm')}, vcrpy {version('vcrpy')}",
            test=test or self.recording.test,
        )
        write(self.recording, self.path)
        self.dirty = False
        return True

    def verify(self) -> None:
        """Raise `NotPlayedError`, `NotRecordedError` or `ChangedAnswerError` where test and recording do not agree."""
        if self.missed:
            raise NotRecordedError("\n".join(self.missed))
        if self.changed:
            raise ChangedAnswerError(
                f"{self.path}: what is answered today is not what was recorded:\n" + "\n".join(self.changed)
            )
        if self.rewound and (self.write_protected or self.live):
            rest = [
                f"{index + 1}. {_as_sent(request).title}"
                for index, (request, _) in enumerate(self.data)
                if not self.play_counts[index]
            ]
            if rest:
                raise NotPlayedError(f"{self.path}: recorded, but not asked by the test: {'; '.join(rest)}")

    def _await(self, request: Any) -> None:
        clean = self._clean_request(request)
        for index, (stored, _) in enumerate(self.data):
            if not self.play_counts[index] and self._matches(clean, stored):
                self.play_counts[index] += 1
                self._awaited.append(index)
                return
        raise self._not_recorded(request)

    def _not_recorded(self, request: Any) -> NotRecordedError:
        sent = _as_sent(self._clean_request(request))
        open_ones = [_as_sent(stored) for index, (stored, _) in enumerate(self.data) if not self.play_counts[index]]
        if self.path.exists():
            why = difference(sent, open_ones, self.options.ignore)
        else:
            why = f"There is no such file. Record it: pytest --record-mode=once (mode now: {self.record_mode.value})"
        told = f"{sent.title} is not in {self.path}.\n{why}"
        if told not in self.missed:
            self.missed.append(told)
        return NotRecordedError(told)

    def _matches(self, one: Any, other: Any) -> bool:
        return same(_as_sent(one), _as_sent(other), self.options.ignore)

    def _clean_request(self, request: Any) -> Any:
        remember_sent(request.uri, request.headers)
        headers = {str(name): told for name, told in request.headers.items()}
        sent, kept = clean_request(request.method, request.uri, headers, _body(request), self.options.rules)
        return VcrRequest(sent.method, sent.url, sent.body, {name: ", ".join(told) for name, told in kept.items()})

    def _clean_response(self, response: dict[str, Any]) -> dict[str, Any]:
        return _as_vcr_response(clean_answer(_as_answer(response), self.options.rules))


@contextmanager
def use_cassette(path: Path | str, mode: Mode = "none", options: Options | None = None) -> Iterator[Cassette]:
    """Within this block, clients are answered from the file; or, as `mode` says, for real, and the file is written.

    Raises `NotRecordedError` where a request is not in it, `NotPlayedError` where not all of it was asked for, and
    `SecretFoundError` where a key would be saved. httpx, aiohttp, requests, urllib3 and http.client are answered.
    """
    cassette = Cassette(Path(path), mode, options)
    with patched(cassette):
        yield cassette
    cassette.save()
    cassette.verify()


@contextmanager
def patched(cassette: Cassette) -> Iterator[None]:
    """Within this block, clients are answered by `cassette`."""
    from .streams import transports

    with ExitStack() as patches:
        cassette.custom_patches = tuple(transports(cassette))
        for patch in CassettePatcherBuilder(cassette).build():
            patches.enter_context(patch)
        yield


def _body(request: Any) -> bytes:
    body = request.body_bytes
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    # aiohttp's clients hand over what is to become JSON.
    return json.dumps(body).encode() if isinstance(body, (dict, list)) else str(body).encode()


def _as_sent(request: Any) -> Sent:
    return Sent(request.method, request.uri, _body(request), str(request.headers.get("content-type", "")))


def _as_vcr_request(exchange: Exchange) -> Any:
    sent = exchange.sent
    return VcrRequest(
        sent.method, sent.url, sent.body, {name: ", ".join(told) for name, told in exchange.headers.items()}
    )


def _as_vcr_response(answer: Answer) -> dict[str, Any]:
    return {
        "status": {"code": answer.status, "message": answer.reason},
        "headers": answer.headers,
        "body": {"string": answer.body},
        "arrived": answer.arrived,
        "broken": answer.broken,
    }


def _as_answer(response: Mapping[str, Any]) -> Answer:
    return Answer(
        status=response["status"]["code"],
        reason=response["status"]["message"] or "",
        headers={str(name).lower(): _texts(told) for name, told in response["headers"].items()},
        body=response["body"].get("string") or b"",
        arrived=list(response.get("arrived") or ()),
        broken=response.get("broken"),
    )


def _texts(told: Any) -> list[str]:
    return [str(one) for one in told] if isinstance(told, (list, tuple)) else [str(told)]


def _listed(headers: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: _texts(told) for name, told in headers.items()}

"""See that nobody waits because of a recording: what told the client to wait a minute tells it to go on.

A provider says how long to wait in seconds, in milliseconds, as a date, and in the bodies of its errors; a date of last
year is of no use to anybody. What the file holds stays as it was answered.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from .file_format import Answer

_IN_BODIES: dict[str, Any] = {"retryDelay": "0s", "retry_after": 0, "retry_after_seconds": 0, "estimated_time": 0}
"""What those who write it into a body mean by "now": Google, Hugging Face, Cloudflare."""


def at_once(answer: Answer, clock: Callable[[], float] = time.time) -> Answer:
    """`answer` as of now, telling nobody to wait."""
    told = as_of_now(answer, clock)
    waits: dict[str, list[str]] = {name: ["0"] for name in ("retry-after", "retry-after-ms") if name in told.headers}
    body = told.body
    if told.status >= 400 and "json" in told.content_type:
        with contextlib.suppress(ValueError, RecursionError):
            parsed = json.loads(body)
            if (eager := _without_waits(parsed)) != parsed:
                body = json.dumps(eager, ensure_ascii=False).encode()
    return replace(told, headers={**told.headers, **waits}, body=body)


def as_of_now(answer: Answer, clock: Callable[[], float] = time.time) -> Answer:
    """`answer` with its dates moved to where they would be, had it been given now."""
    headers = dict(answer.headers)
    now = datetime.fromtimestamp(clock(), UTC)
    given = _date(headers.get("date", [""])[0])
    until = _date(headers.get("retry-after", [""])[0])
    if given is not None:
        headers["date"] = [format_datetime(now, usegmt=True)]
    if until is not None:
        # Without a date beside it nobody knows from when it counted.
        headers["retry-after"] = [format_datetime(now + (until - given), usegmt=True) if given is not None else "0"]
    return replace(answer, headers=headers)


def _date(text: str) -> datetime | None:
    if not text or text.strip().isdigit():
        return None
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _without_waits(found: Any) -> Any:
    if isinstance(found, dict):
        return {name: _IN_BODIES.get(name, _without_waits(told)) for name, told in found.items()}
    return [_without_waits(item) for item in found] if isinstance(found, list) else found

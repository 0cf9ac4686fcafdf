"""The fault server: see docs/testing.md."""

from .engine import Script
from .recorded import Headers, Request
from .server import FaultServer
from .steps import (
    Step,
    answer,
    drip,
    early_end,
    empty,
    error,
    error_event,
    forward,
    gzipped,
    hang_up,
    html,
    huge,
    mistyped,
    redirect,
    reset,
    silence,
    split,
    truncated,
)

__all__ = [
    "FaultServer",
    "Headers",
    "Request",
    "Script",
    "Step",
    "answer",
    "drip",
    "early_end",
    "empty",
    "error",
    "error_event",
    "forward",
    "gzipped",
    "hang_up",
    "html",
    "huge",
    "mistyped",
    "redirect",
    "reset",
    "silence",
    "split",
    "truncated",
]

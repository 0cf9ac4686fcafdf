"""Bring what llama.cpp says while it loads a model to `logging`, and keep it from saying anything on stderr.

llama.cpp writes its log with a thread of its own to the C stream stderr, and nowhere else alone. A callback in Python
is no way out: `xllamacpp.Server(...)` holds Python's lock while it waits for a thread that logs, so the callback would
wait for ever. So for the time of loading, descriptor 2 is a file, which is read afterwards. Python code cannot write
there meanwhile, for the same lock is held. After loading, the log stays off: what goes wrong then comes as an error.

Turning it on and off needs functions that llama.cpp's library exports under their C++ names (Linux, macOS). Where they
are missing (Windows), it is silent from the start, and a model that cannot be loaded gives no reason.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

LOG = logging.getLogger("homeostasis_llm.llama_cpp")
# Without any handler, Python itself would write warnings to stderr.
LOG.addHandler(logging.NullHandler())

# 0.01.281.163 E llama_model_load: error loading model: …
_LINE = re.compile(r"^\d+\.\d\d\.\d{3}\.\d{3} (?P<level>[DIWE]) (?P<text>.*)$")
_LEVELS = {"D": logging.DEBUG, "I": logging.INFO, "W": logging.WARNING, "E": logging.ERROR}
# llama.cpp's own scale (`-lv`), for the levels of `logging`. Errors are always wanted: they say why loading failed.
_VERBOSITY = {logging.DEBUG: 4, logging.INFO: 3, logging.WARNING: 2, logging.ERROR: 1}
SILENT = -1


@dataclass(frozen=True, slots=True)
class Functions:
    """What the library exports of use here."""

    resume: Callable[[], None]
    pause: Callable[[], None]
    """Waits until everything that was said is written; what is said from then on is dropped."""
    start_janitor: Callable[[], None]
    stop_janitor: Callable[[], None]
    """Of the thread that forgets interrupted HTTP streams, one for the process."""


@cache
def functions() -> Functions | None:
    """The library's functions, None where they are not to be had."""
    from xllamacpp import xllamacpp

    library = ctypes.CDLL(xllamacpp.__file__)
    try:
        main = library["_Z15common_log_mainv"]
        main.restype = ctypes.c_void_p
        log = ctypes.c_void_p(main())
        pause, resume = library["_Z16common_log_pauseP10common_log"], library["_Z17common_log_resumeP10common_log"]
        start, stop = (library[f"_Z{len(name)}{name}v"] for name in (f"{_JANITOR}_start", f"{_JANITOR}_stop"))
    except AttributeError:
        return None
    for function in (pause, resume, start, stop):
        function.restype = None
    return Functions(lambda: resume(log), lambda: pause(log), start, stop)


_JANITOR = "server_stream_session_manager"


def verbosity() -> int:
    """How much llama.cpp shall say, in its own scale, for what `logging` is set to keep."""
    if functions() is None:
        return SILENT
    return next(said for level, said in _VERBOSITY.items() if level == logging.ERROR or LOG.isEnabledFor(level))


@contextmanager
def captured(errors: list[str]) -> Iterator[None]:
    """Log what llama.cpp says inside; its errors are also added to `errors`."""
    library = functions()
    if library is None:
        yield
        return
    with tempfile.TemporaryFile() as heard:
        try:
            with _as_stderr(heard.fileno()):
                library.resume()
                try:
                    yield
                finally:
                    library.pause()
        finally:
            heard.seek(0)
            errors += _log(heard.read().decode("utf-8", "replace").splitlines())


@contextmanager
def _as_stderr(descriptor: int) -> Iterator[None]:
    """Have `descriptor` stand for descriptor 2 inside."""
    try:
        real = os.dup(2)
    except OSError:  # a service without stderr
        real = None
    os.dup2(descriptor, 2)
    try:
        yield
    finally:
        if real is None:
            os.close(2)
        else:
            os.dup2(real, 2)
            os.close(real)


def _log(lines: list[str]) -> list[str]:
    """Log `lines`; those that are errors come back."""
    errors, level = [], logging.INFO
    for line in lines:
        found = _LINE.match(line)
        level = level if found is None else _LEVELS[found["level"]]  # else the next line of the message before
        text = line if found is None else found["text"]
        LOG.log(level, "%s", text)
        if found is not None and level == logging.ERROR:
            errors.append(text)
    return errors

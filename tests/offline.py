"""Refuse every connection and every name look-up but loopback, in this process; `child/` does it in those it starts.

An audit hook sees what patched functions miss: name look-ups, datagrams and code that kept the original function.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys

attempts: list[str] = []
"""What was refused, in order. Code that swallows the refusal is still found out by looking here."""

_TO_AN_ADDRESS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOK_UPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}

REFUSED_IN_A_CHILD = 97
"""The exit status of a child process that tried to reach the network."""


class NetworkRefusedError(RuntimeError):
    """A test reached for a host other than this one."""


def refuse_the_network(*, exit_at_once: bool = False) -> None:
    """From now on, for the life of the process. `exit_at_once` ends it, for processes whose errors nobody watches."""

    def watch(event: str, args: tuple[object, ...]) -> None:
        if not event.startswith("socket.") or not (host := _foreign_host(event, args)):
            return
        attempts.append(f"{event} to {host}")
        if exit_at_once:
            sys.stderr.write(f"refused: {attempts[-1]}\n")
            sys.stderr.flush()
            os._exit(REFUSED_IN_A_CHILD)
        raise NetworkRefusedError(f"a test may only talk to this machine: {attempts[-1]}")

    sys.addaudithook(watch)


def _foreign_host(event: str, args: tuple[object, ...]) -> str | None:
    if event in _TO_AN_ADDRESS:
        used, target = args[0], args[1]
        if isinstance(used, socket.socket) and used.family not in {socket.AF_INET, socket.AF_INET6}:
            return None
    elif event in _LOOK_UPS:
        target = args[0]
    else:
        return None
    host = target[0] if isinstance(target, tuple) else target
    name = host.decode("idna") if isinstance(host, bytes) else str(host or "")
    return None if name in {"", "localhost"} or _is_loopback(name) else name


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

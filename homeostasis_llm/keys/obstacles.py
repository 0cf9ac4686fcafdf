"""Say why no answer came: what stood between us and a provider, by the types of the errors, and what to do about it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

from ..redaction import redact


class Obstacle(StrEnum):
    """Why no answer came."""

    DNS = "dns"
    """The name of the host does not resolve."""
    REFUSED = "refused"
    """Nobody listens on that port."""
    NETWORK = "network"
    """There is no way to the host, or none is allowed."""
    TLS = "tls"
    """No encrypted connection came about: a certificate that is not trusted, or no TLS at all."""
    PROXY = "proxy"
    """A proxy could not be reached, or did not let the request through."""
    TIMEOUT = "timeout"
    """Nothing came in the time given."""
    RESET = "reset"
    """The connection was closed before the answer was complete."""
    PROTOCOL = "protocol"
    """What answered does not speak HTTP."""
    ADDRESS = "address"
    """The base URL is none."""
    UNKNOWN = "unknown"
    """Nobody said why."""


class SettingsError(Exception):
    """A base URL, or the environment's settings for proxies or certificates, cannot be used: nothing was sent."""

    def __init__(self, obstacle: Obstacle, detail: str = "") -> None:
        super().__init__(detail)
        self.obstacle = obstacle
        self.detail = detail


_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EACCES, errno.EPERM}
_LONGEST_DETAIL = 200
"""Characters."""


def obstacle_of(error: BaseException, *, at_proxy: bool = False) -> tuple[Obstacle, str]:
    """What stood in the way, and the particulars for people, which may be empty.

    `at_proxy` says that the request had not come farther than a proxy. httpx' errors are told by the names of their
    classes, so that it need not be imported.
    """
    links = list(chain(error))
    for link in links:
        if isinstance(link, SettingsError):
            return link.obstacle, link.detail
    kinds = {kind.__name__ for link in links for kind in type(link).__mro__ if kind.__module__.startswith("httpx")}
    obstacle, detail = _obstacle(error, links, kinds)
    if "ProxyError" in kinds:  # its text is the status line of the proxy's answer
        return Obstacle.PROXY, f"it answered {_in_one_line(str(error))}"
    return (Obstacle.PROXY, detail or _IN_SHORT[obstacle]) if at_proxy else (obstacle, detail)


def _obstacle(error: BaseException, links: list[BaseException], kinds: set[str]) -> tuple[Obstacle, str]:
    if isinstance(error, TimeoutError) or "TimeoutException" in kinds:
        return Obstacle.TIMEOUT, "no connection was made" if "ConnectTimeout" in kinds else ""
    if found := _by_system(links):
        return found
    if "RemoteProtocolError" in kinds:
        # h11 reads HTTP; without it in the chain, the connection was closed before there was anything to read.
        garbled = any(type(link).__module__.startswith("h11") for link in links)
        return (Obstacle.PROTOCOL if garbled else Obstacle.RESET), ""
    if kinds & {"ReadError", "WriteError", "CloseError"}:
        return Obstacle.RESET, ""
    return Obstacle.UNKNOWN, _in_one_line(str(error) or type(error).__name__)


def _by_system(links: list[BaseException]) -> tuple[Obstacle, str] | None:  # noqa: PLR0911  # a table of cases
    """By what the operating system and its TLS said. Of several tries, the one that came farthest counts."""
    for link in links:
        if isinstance(link, socket.gaierror):
            return Obstacle.DNS, ""
        if isinstance(link, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return Obstacle.RESET, "while the encryption was agreed on"
        if isinstance(link, ssl.SSLCertVerificationError):
            return Obstacle.TLS, link.verify_message
        if isinstance(link, ssl.SSLError):
            return Obstacle.TLS, (link.reason or "").replace("_", " ").lower()
    if any(isinstance(link, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)) for link in links):
        return Obstacle.RESET, ""
    if any(isinstance(link, ConnectionRefusedError) for link in links):
        return Obstacle.REFUSED, ""
    for link in links:
        if isinstance(link, OSError) and link.errno in _NO_WAY:
            return Obstacle.NETWORK, os.strerror(link.errno).lower()
    return None


def chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that led to it, as far as that is known, the nearest first; of several tries at once, each."""
    seen: set[int] = set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop(0)
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            several = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
            # litellm keeps what it stands for there.
            links += [getattr(link, "original_exception", None), link.__cause__, link.__context__, *several]


def _in_one_line(said: str) -> str:
    plain = "".join(character for character in redact(" ".join(said.split())) if character.isprintable())
    return plain if len(plain) <= _LONGEST_DETAIL else plain[:_LONGEST_DETAIL] + "…"


_IN_SHORT = {
    Obstacle.DNS: "its name does not resolve",
    Obstacle.REFUSED: "nothing listens there",
    Obstacle.NETWORK: "there is no way to it",
    Obstacle.TLS: "it speaks no TLS that can be trusted",
    Obstacle.PROXY: "it does not let the request through",
    Obstacle.TIMEOUT: "it did not answer in time",
    Obstacle.RESET: "it closed the connection",
    Obstacle.PROTOCOL: "it does not speak HTTP",
    Obstacle.ADDRESS: "its address is none",
    Obstacle.UNKNOWN: "it could not be asked",
}

_AGAIN = "Try again; if it stays so, a firewall or a proxy may be in the way."

_TOLD = {
    Obstacle.DNS: (
        "The name of the host {host} does not resolve.",
        "Check whether this machine has a network, and whether the base URL is spelled right.",
    ),
    Obstacle.REFUSED: (
        "Nothing listens at {host}.",
        "Check the base URL with its port, and the firewall.",
    ),
    Obstacle.NETWORK: (
        "There is no way to {host}{more}.",
        "Check this machine's network and its firewall.",
    ),
    Obstacle.TLS: (
        "The certificate of {host} is not trusted{more}.",
        "If the server is your own, or a firewall reads along, name the certificate of its authority in SSL_CERT_FILE.",
    ),
    Obstacle.PROXY: (
        "The proxy on the way to {host} did not let the request through{more}.",
        "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or name the host in NO_PROXY.",
    ),
    Obstacle.TIMEOUT: ("{host} gave no answer within {seconds:g} s{more}.", _AGAIN),
    Obstacle.RESET: ("{host} closed the connection before it had answered{more}.", _AGAIN),
    Obstacle.PROTOCOL: (
        "What listens at {host} does not speak HTTP.",
        "Check the base URL: its port, and whether it begins with https:// or http://.",
    ),
    Obstacle.ADDRESS: (
        "The base URL is no web address.",
        "It must begin with https:// or http:// and the name of a host.",
    ),
    Obstacle.UNKNOWN: ("{host} could not be asked{more}.", "Check this machine's network, and the base URL."),
}
_NO_TLS = (
    "What listens at {host} does not speak TLS{more}.",
    "Correct the port in the base URL, or begin it with http:// if the server is your own.",
)
_NOT_STARTED = ("Nothing listens at {host}.", "Start {who}, or name its address as the base URL.")


def explain(obstacle: Obstacle, detail: str, *, who: str, host: str, seconds: float, local: bool) -> tuple[str, str]:
    """What happened, and what to do next: a sentence each. `seconds` is the time that was given."""
    told = _TOLD[obstacle]
    if obstacle is Obstacle.REFUSED and local:
        told = _NOT_STARTED
    elif obstacle is Obstacle.TLS and detail in _OTHER_THAN_TLS:
        told = _NO_TLS
    facts = {"who": who, "host": host or who, "seconds": seconds, "more": f" ({detail})" if detail else ""}
    return told[0].format_map(facts), told[1].format_map(facts)


_OTHER_THAN_TLS = {"wrong version number", "record layer failure", "http request", "packet length too long"}
"""What OpenSSL says where it read something else than TLS."""

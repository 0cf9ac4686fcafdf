"""Say what the environment puts between this machine and the providers: proxies and certificates."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from ..keys.installed import is_installed
from .finding import Finding, State

_PROXY = "proxy"
_CERTIFICATES = "certificates"


def proxies() -> Iterator[Finding]:
    """The proxies that httpx uses: those of the environment, on macOS and Windows also the system's."""
    found = {scheme: url for scheme, url in getproxies().items() if scheme in {"http", "https", "all"} and url}
    for scheme, url in sorted(found.items()):
        shown, problem, advice = _proxy(url)
        if problem:
            yield Finding(_PROXY, State.FAIL, f"{scheme.upper()}_PROXY: {problem}", advice)
        else:
            yield Finding(_PROXY, State.OK, f"{scheme.upper()}_PROXY: {shown}")
    if not found:
        yield Finding(_PROXY, State.OK, "none is set")
    elif spared := getproxies().get("no"):
        yield Finding(_PROXY, State.OK, f"NO_PROXY: {spared}")


def certificates() -> Iterator[Finding]:
    """Whom TLS trusts: httpx reads SSL_CERT_FILE, else SSL_CERT_DIR, else what certifi brings."""
    file, folder = os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", "")
    if file:
        problem = _unreadable(file)
        advice = "Name a file of certificates in PEM form, or unset it."
        yield (
            Finding(_CERTIFICATES, State.FAIL, f"SSL_CERT_FILE: {file} {problem}", advice)
            if problem
            else Finding(_CERTIFICATES, State.OK, f"SSL_CERT_FILE: {file}")
        )
    elif folder:
        there = Path(folder).is_dir()
        yield (
            Finding(_CERTIFICATES, State.OK, f"SSL_CERT_DIR: {folder}")
            if there
            else Finding(_CERTIFICATES, State.FAIL, f"SSL_CERT_DIR: {folder} is no folder", "Name one, or unset it.")
        )
    else:
        yield Finding(_CERTIFICATES, State.OK, "those of the package certifi")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(variable) and not file:
            yield Finding(
                _CERTIFICATES,
                State.WARN,
                f"{variable} is set, which is not read here",
                "Set SSL_CERT_FILE to the same.",
            )


def _proxy(url: str) -> tuple[str, str, str]:
    """How it may be shown, what is wrong with it, and what to do about that."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        good = parts.scheme in {"http", "https", "socks5", "socks5h"} and parts.hostname and (parts.port or 1) > 0
    except ValueError:  # a port or an IPv6 address that is none
        good = False
    if not good:
        return "", "what it names is no address of a proxy", "Write it as http://HOST:PORT."
    user, _, host = parts.netloc.rpartition("@")
    shown = f"{parts.scheme}://{'********@' if user else ''}{host}"
    if parts.scheme.startswith("socks") and not is_installed("socksio"):
        return shown, f"{shown} needs the package socksio", "pip install 'httpx[socks]'"
    return shown, "", ""


def _unreadable(file: str) -> str:
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        return "holds no certificate"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return ""

"""Make the request that goes out, with the key in it, so that nothing which is shown of it shows the key."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from ..errors import InvalidRequestError
from .messages import HTTPRequest

_BARE = ("bearer", "none")
_NAMED = ("scheme", "header", "query")
"""Ways to show a key that need a name: of a scheme of the Authorization header, of a header, of a parameter."""


class Sealed:
    """A request that is not shown: its headers hold the key, or its URL does."""

    __slots__ = ("request",)

    def __init__(self, request: httpx.Request) -> None:
        self.request = request

    def __repr__(self) -> str:
        return f"<Sealed {self.request.method} to {self.request.url.host}>"


def sealed(
    request: HTTPRequest, *, base_url: str, headers: Mapping[str, str], auth: str, key: str, provider: str
) -> Sealed | InvalidRequestError:
    """`request` with the key shown as `auth` says. An error is returned, for here the key is in the frame."""
    base = base_url.rstrip("/")
    whole = request.path.startswith(("https://", "http://"))
    if not base and not whole:
        return InvalidRequestError(f"{provider} has no base URL: give it one, as in base_url=…", provider=provider)
    kind, _, name = auth.partition(":")
    if kind not in {*_BARE, *_NAMED} or (kind in _NAMED) != bool(name):
        return InvalidRequestError(
            f"{provider}: auth is {auth!r}, but must be bearer, scheme:<word>, header:<name>, query:<name> or none",
            provider=provider,
        )
    sent, params = {**headers, **request.headers}, dict(request.params)
    match kind if key else "none":
        case "bearer":
            sent["Authorization"] = f"Bearer {key}"
        case "scheme":
            sent["Authorization"] = f"{name} {key}"
        case "header":
            sent[name] = key
        case "query":
            params[name] = key
    url = request.path if whole else f"{base}/{request.path.lstrip('/')}"
    body = {} if request.json is None else {"json": request.json}
    try:
        address = httpx.URL(url).copy_merge_params(params)
        if address.scheme not in {"http", "https"} or not address.host:
            return InvalidRequestError(f"{provider}: its base URL is no web address: {base!r}", provider=provider)
        made = httpx.Request(request.method, address, headers=sent, **body)
    except (httpx.InvalidURL, UnicodeEncodeError, TypeError, ValueError) as error:
        return InvalidRequestError(f"{provider}: the request cannot be sent: {error}", provider=provider)
    return Sealed(made)

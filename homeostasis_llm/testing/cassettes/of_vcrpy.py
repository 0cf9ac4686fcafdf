"""Read the files of plain vcrpy, so that recordings made before can still be played."""

from __future__ import annotations

from typing import Any

from .errors import UnreadableCassetteError
from .file_format import Answer, Exchange, Recording, clean_answer, clean_request
from .scrubbing import Rules


def from_vcrpy(found: dict[str, Any], name: str) -> Recording:
    """The recording in a file of vcrpy's version 1. Raises `UnreadableCassetteError`."""
    rules = Rules()
    exchanges: list[Exchange] = []
    for index, one in enumerate(found["interactions"]):
        try:
            asked, told = one["request"], one["response"]
            sent, kept = clean_request(asked["method"], asked["uri"], asked["headers"], _bytes(asked["body"]), rules)
            answer = Answer(
                # The second form is of vcrpy before version 6, for httpx.
                status=told["status"]["code"] if "status" in told else told["status_code"],
                reason=(told.get("status") or {}).get("message") or "",
                headers={str(header).lower(): _listed(value) for header, value in told["headers"].items()},
                body=_bytes(told["body"] if "body" in told else told["content"]),
            )
            exchanges.append(Exchange(sent=sent, headers=kept, answer=clean_answer(answer, rules)))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            problem = f"has no {error}" if isinstance(error, KeyError) else str(error)
            raise UnreadableCassetteError(
                f"{name}: interactions[{index}]: is not as vcrpy writes it: {problem}"
            ) from None
    return Recording(exchanges=exchanges, recorded_by="vcrpy", foreign=True)


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _bytes(body: Any) -> bytes:
    if isinstance(body, dict):
        body = body.get("string", body.get("base64_string"))
    if body is None:
        return b""
    if not isinstance(body, (str, bytes)):
        raise TypeError(f"a body that is a {type(body).__name__}")
    return body.encode() if isinstance(body, str) else body

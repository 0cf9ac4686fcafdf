"""Cut a stream of Bedrock's Converse into its events, as AWS frames them, and have litellm read each.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. Import this only after
`runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

from litellm.llms.bedrock.chat.invoke_handler import AWSEventStreamDecoder

from ..frames import Frame, frame_at
from .dialect import Event
from .events import parsed

PIECE = "litellm"
"""Where an event has what litellm made of it; text alone is left as it came."""


class ConverseEvents:
    """The events of one stream."""

    def __init__(self, model: str, *, as_json: bool) -> None:
        """`as_json` where litellm has asked for an answer of a form."""
        self._decoder = AWSEventStreamDecoder(model=model, json_mode=as_json)
        self._kept = b""
        self._begun = False
        self.done = False  # the last event is known as such only once the connection is closed
        self.failure: ValueError | None = None

    def feed(self, piece: bytes) -> list[Event]:
        """Those that `piece` completes, until a `failure`."""
        wire, at = self._kept + piece, 0
        found: list[Event] = []
        try:
            while (frame := frame_at(wire, at)) is not None:
                at = frame.end
                if (event := self._read(_told(frame))) is not None:
                    found.append(event)
        except ValueError as error:
            if at or self._begun:
                self.failure = error  # else it is no stream: that is said when it is all there
        self._begun = self._begun or at > 0
        self._kept = wire[at:]
        return found

    def end(self) -> list[Event]:
        """None: each is whole when its frame is."""
        if self._kept and self.failure is None:
            self.failure = ValueError("the stream ended amid a frame")
        return []

    def _read(self, event: object) -> Event | None:
        if not isinstance(event, dict):
            raise ValueError("an event is a JSON object")  # noqa: TRY004  # as for what is no JSON at all
        delta = event.get("delta")
        if isinstance(delta, dict) and isinstance(delta.get("text"), str):
            return event
        if _SAYING.isdisjoint(event):
            return None  # whose message begins, or what we do not know
        try:
            return {PIECE: self._decoder.converse_chunk_parser(event)}
        except Exception as error:
            # It raises no other class, whatever an event lacks.
            raise ValueError(str(error)) from error


def _told(frame: Frame) -> object:
    if not frame.intact:
        raise ValueError("a frame was damaged on its way")
    if frame.exception is not None:
        raise ValueError(f"the stream ended with {frame.exception}")
    return parsed(frame.payload)


_SAYING = frozenset({"contentBlockIndex", "stopReason", "metrics", "trace", "usage"})
"""One of them is in each event that litellm reads as Converse's."""

"""Say what a conversation consists of: messages, the parts of their content, tool calls and reasoning."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from dataclasses import field
from typing import Annotated, Any, Literal
from urllib.parse import unquote_to_bytes

from pydantic import AfterValidator, BeforeValidator, Field

from ._value import Value, check_json, value
from .errors import InvalidRequestError

Role = Literal["system", "user", "assistant", "tool"]


def _decoded(data: object) -> object:
    if not isinstance(data, str):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(f"is a string that is not base64 ({error}); give bytes or base64") from None


Data = Annotated[bytes, BeforeValidator(_decoded)]
"""Bytes; a string is taken for base64, which is how bytes stand in JSON."""


def _whole(text: str) -> str:
    # Undecodable input reaches Python as such halves ("surrogates"), and fails only when it is to be sent.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"has half a character at position {error.start}, which cannot be sent") from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""Text that can be sent."""

NonEmpty = Annotated[str, Field(min_length=1)]


@value
class TextPart(Value):
    """Text."""

    text: Text
    type: Literal["text"] = "text"


@value
class ImagePart(Value):
    """An image: a PNG, JPEG, GIF or WebP as bytes, or anything the provider fetches from a URL."""

    url: str | None = None
    """`http(s)://…`; a `data:` URL is taken apart into `data` and `media_type`."""
    data: Data | None = None
    media_type: str | None = None
    """As in `image/png`; found from the bytes where it is not given."""
    detail: Literal["auto", "low", "high", "original"] | None = None
    """How closely the model looks, for providers that let one choose."""
    type: Literal["image"] = "image"

    def __post_init__(self) -> None:
        super().__post_init__()
        _settle_source(self)
        if self.data is not None:
            self.media_type = _image_type(self.data)


@value
class AudioPart(Value):
    """Sound, as bytes or from a URL."""

    url: str | None = None
    data: Data | None = None
    media_type: str | None = None
    """As in `audio/wav`; required with bytes."""
    type: Literal["audio"] = "audio"

    def __post_init__(self) -> None:
        super().__post_init__()
        _settle_source(self)
        if self.data is not None and not (self.media_type or "").startswith("audio/"):
            raise InvalidRequestError("AudioPart.media_type: with bytes it must name their type, as in 'audio/wav'")


@value
class FilePart(Value):
    """A file such as a PDF: as bytes, from a URL, or by the number the provider gave it on upload."""

    url: str | None = None
    data: Data | None = None
    file_id: NonEmpty | None = None
    media_type: str | None = None
    """As in `application/pdf`; required with bytes."""
    name: str | None = None
    """The file's name, shown to the model by some providers."""
    type: Literal["file"] = "file"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.file_id is None:
            _settle_source(self)
        elif self.url is not None or self.data is not None:
            raise InvalidRequestError("FilePart: needs one of url, data or file_id, not several")
        if self.data is not None and not self.media_type:
            raise InvalidRequestError(
                "FilePart.media_type: with bytes it must name their type, as in 'application/pdf'"
            )


ContentPart = Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]


@value
class ToolCall(Value):
    """A tool the model wants called."""

    name: NonEmpty
    arguments: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex[:24]}")
    """Ties the tool's result to this call; made up where the provider gave none."""
    invalid_arguments: str | None = None
    """What the model wrote where that is no JSON object; `arguments` is empty then."""
    payload: dict[str, Any] | None = None
    """Opaque data that the provider wants back with the call, such as Google's thought signature."""
    provider: str = ""
    """Whose payload it is; no other provider is sent it. Empty where that is not known."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_json(self.arguments, "ToolCall.arguments")

    @property
    def arguments_text(self) -> str:
        """The arguments as JSON text, or what the model wrote instead: for APIs that take them as a text."""
        if self.invalid_arguments is not None:
            return self.invalid_arguments
        return json.dumps(self.arguments, ensure_ascii=False)  # a model reads letters better than their numbers

    @property
    def arguments_object(self) -> dict[str, Any]:
        """The arguments, or an object with what the model wrote instead: for APIs that take nothing but an object.

        A model that sees its own mistake, beside what the tool said to it, can do better the next time. The name is
        Anthropic's; source: platform.claude.com/docs, fine-grained tool streaming.
        """
        return self.arguments if self.invalid_arguments is None else {"INVALID_JSON": self.invalid_arguments}


@value
class Reasoning(Value):
    """What a model thought before it answered."""

    text: str = ""
    provider: str = ""
    """Whose thoughts these are; no other provider is sent the payload."""
    payload: dict[str, Any] | None = None
    """Opaque data that the provider wants back in the next turn: signatures, encrypted content."""

    def __str__(self) -> str:
        return self.text


@value
class LLMMessage(Value):
    """One message of a conversation. Raises `InvalidRequestError` for an unknown role or a tool's result without id."""

    role: Role
    content: Text | list[ContentPart] = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    """What an assistant's message asks to be called."""
    tool_call_id: str | None = None
    """Which call a tool's message answers."""
    name: str | None = None
    """The name of the participant, or of the tool."""
    reasoning: Reasoning | None = None
    is_error: bool = False
    """A tool's message says with it that the tool failed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.role == "tool" and not self.tool_call_id:
            raise InvalidRequestError("LLMMessage.tool_call_id: a tool's message must name the call it answers")
        if self.tool_calls and self.role != "assistant":
            raise InvalidRequestError(
                f"LLMMessage.tool_calls: only an assistant's message has tool calls, not one of role {self.role!r}"
            )

    @property
    def text(self) -> str:
        """The text of the message, without images and other parts."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


def data_url(data: bytes, media_type: str) -> str:
    """`data` as a `data:` URL, which is how most wire formats carry bytes."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _settle_source(part: ImagePart | AudioPart | FilePart) -> None:
    """Leave `part` with exactly one source, bytes or a web address. Raises `InvalidRequestError`."""
    owner = type(part).__name__
    if (part.url is None) == (part.data is None):
        choices = "url, data or file_id" if isinstance(part, FilePart) else "url or data"
        raise InvalidRequestError(f"{owner}: needs one of {choices}" + (", not both" if part.url is not None else ""))
    if part.url is not None and part.url.startswith("data:"):
        media_type, part.data = _from_data_url(part.url, owner)
        part.media_type = part.media_type or media_type
        part.url = None
    if part.data is not None and not part.data:
        raise InvalidRequestError(f"{owner}.data: is empty")
    if part.url is not None and not part.url.startswith(("http://", "https://", "gs://", "s3://")):
        raise InvalidRequestError(
            f"{owner}.url: must start with https://, http://, gs://, s3:// or data:, got {part.url[:60]!r}"
        )


def _from_data_url(url: str, owner: str) -> tuple[str | None, bytes]:
    header, comma, body = url.removeprefix("data:").partition(",")
    if not comma:
        raise InvalidRequestError(f"{owner}.url: a data: URL needs a comma before the data, got {url[:60]!r}")
    media_type, *options = header.split(";")
    if "base64" not in options:
        return media_type or None, unquote_to_bytes(body)
    try:
        return media_type or None, base64.b64decode(unquote_to_bytes(body), validate=True)
    except binascii.Error as error:
        raise InvalidRequestError(f"{owner}.url: its base64 cannot be read ({error})") from None


def _image_type(data: bytes) -> str:
    """The media type that the first bytes tell: the four types that every provider with vision reads."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise InvalidRequestError(f"ImagePart.data: is no PNG, JPEG, GIF or WebP image; it begins with {data[:8]!r}")

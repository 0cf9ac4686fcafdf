"""Turn LangChain's messages into ours, whatever dialect their content is in.

LangChain itself reads the dialects of OpenAI, Anthropic, Google and AWS into standard blocks; what it leaves
unread of Anthropic's is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from ..errors import InvalidRequestError
from ..messages import AudioPart, ContentPart, FilePart, ImagePart, LLMMessage, Reasoning, Role, TextPart, ToolCall
from .outputs import KEPT

Block = Mapping[str, Any]

_ROLES: dict[str, Role] = {"human": "user", "ai": "assistant", "developer": "system"}
"""Roles of a `ChatMessage` in other words than ours."""


def to_llm_messages(messages: Sequence[BaseMessage], *, provider: str | None) -> list[LLMMessage]:
    """`messages` as ours, for `provider`; None where it is not known yet who will be asked.

    Raises `InvalidRequestError`, naming the message's place, for content that no provider could be sent.
    """
    translated: list[LLMMessage] = []
    for place, message in enumerate(messages):
        try:
            translated.extend(_translated(message, provider))
        except InvalidRequestError as error:
            problem = InvalidRequestError(f"messages[{place}]: {error}")
        else:
            continue
        raise problem
    return translated


def _translated(message: BaseMessage, provider: str | None) -> list[LLMMessage]:
    match message:
        case AIMessage():
            return [_from_assistant(message, provider)]
        case ToolMessage():
            content = _content(_blocks(message))
            return [
                LLMMessage(
                    role="tool",
                    content=content,
                    tool_call_id=message.tool_call_id,
                    name=message.name,
                    is_error=message.status == "error",
                )
            ]
        case HumanMessage():
            return _from_participant("user", message)
        case SystemMessage():
            return _from_participant("system", message)
        case ChatMessage():
            return _from_participant(_role(message.role), message)
        case FunctionMessage():
            raise InvalidRequestError(
                "FunctionMessage is the answer to a call without a number; send a ToolMessage with its tool_call_id"
            )
    raise InvalidRequestError(f"{type(message).__name__} is no message that a model can be sent")


def _role(word: str) -> Role:
    role = _ROLES.get(word, word)
    if role not in {"system", "user", "assistant"}:
        raise InvalidRequestError(f"ChatMessage.role: must be system, user or assistant, got {word!r}")
    return role  # type: ignore[return-value]  # mypy does not narrow a str to a Literal by a set


def _from_participant(role: Role, message: BaseMessage) -> list[LLMMessage]:
    if isinstance(message.content, str):
        return [LLMMessage(role=role, content=message.content, name=message.name)]
    blocks = _blocks(message)
    # Anthropic puts the results of tools into the user's next message.
    results = [_tool_result(block) for block in blocks if block.get("type") == "tool_result"]
    said = [block for block in blocks if block.get("type") != "tool_result"]
    if results and not said:
        return results
    return [*results, LLMMessage(role=role, content=_content(said), name=message.name)]


def _tool_result(block: Block) -> LLMMessage:
    content = HumanMessage(block.get("content") or "")
    return LLMMessage(
        role="tool",
        content=_content(_blocks(content)),
        tool_call_id=block.get("tool_use_id"),
        is_error=bool(block.get("is_error")),
    )


def _from_assistant(message: AIMessage, provider: str | None) -> LLMMessage:
    kept = message.additional_kwargs.get(KEPT) or {}
    owner = str(kept.get("provider") or "")
    answer = _Answer(message, owner, (kept.get("tool_calls") or {}) if provider in {None, owner} else {})
    answer.read(_blocks(message))
    texts = answer.texts
    payload = kept.get("reasoning") or ({"thinking_blocks": answer.signed} if answer.signed else None)
    reasoning = None
    if answer.thoughts or payload:
        reasoning = Reasoning(
            text="\n".join(answer.thoughts),
            provider=owner or _origin(message, signed=bool(answer.signed)),
            payload=payload,
        )
    return LLMMessage(
        role="assistant",
        content=texts[0] if len(texts) == 1 else [TextPart(text=text) for text in texts] or "",
        tool_calls=list(answer.calls.values()),
        name=message.name,
        reasoning=reasoning,
    )


def _origin(message: AIMessage, *, signed: bool) -> str:
    """Whose thoughts a message has that another chat model made."""
    metadata = message.response_metadata
    return str(metadata.get("provider") or metadata.get("model_provider") or ("anthropic" if signed else ""))


@dataclass
class _Answer:
    """What an assistant's message says, by kind.

    What the provider's server did on its own (searches, code, images) is not sent again: an assistant's message of
    ours has no place for it, and its outcome is in the text.
    """

    message: AIMessage
    owner: str
    """Whose the payloads are."""
    payloads: Mapping[str, dict[str, Any]]
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    signed: list[dict[str, Any]] = field(default_factory=list)
    """Anthropic's thoughts with their signatures, as litellm names and wants them back."""
    calls: dict[str, ToolCall] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for call in self.message.tool_calls:
            self._call(call.get("id"), call["name"], arguments=call["args"])
        for invalid in self.message.invalid_tool_calls:
            self._call(invalid.get("id"), invalid.get("name") or "unknown", invalid_arguments=invalid.get("args") or "")

    def read(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            match block:
                case {"type": "text", "text": str(text)}:
                    if text:
                        self.texts.append(text)
                case {"type": "reasoning"}:
                    self._thought(block.get("reasoning") or "", (block.get("extras") or {}).get("signature"))
                case {"type": "thinking"}:
                    self._thought(block.get("thinking") or "", block.get("signature"))
                case {"type": "redacted_thinking"}:
                    self.signed.append(dict(block))
                case {"type": "tool_call", "name": str(name), "args": dict(arguments)} | {
                    "type": "tool_use",
                    "name": str(name),
                    "input": dict(arguments),
                }:
                    if block.get("id") not in self.calls:
                        self._call(block.get("id"), name, arguments=arguments)

    def _call(self, id_: str | None, name: str, **arguments: Any) -> None:
        payload = self.payloads.get(id_ or "")
        call = ToolCall(name=name, payload=payload, provider="" if payload is None else self.owner, **arguments)
        if id_:
            call.id = id_
        self.calls[call.id] = call

    def _thought(self, text: str, signature: str | None) -> None:
        if text:
            self.thoughts.append(text)
        if signature:
            self.signed.append({"type": "thinking", "thinking": text, "signature": signature})


def _blocks(message: BaseMessage) -> list[Block]:
    """The content of `message` in standard blocks; what LangChain could not read as it stands in the message."""
    if isinstance(message.content, str) and not isinstance(message, AIMessage):
        return [{"type": "text", "text": message.content}] if message.content else []
    return [_opened(block) for block in message.content_blocks]


def _opened(block: Any) -> Block:
    value = block.get("value")
    return value if block.get("type") == "non_standard" and isinstance(value, Mapping) else block


def _content(blocks: Sequence[Block]) -> str | list[ContentPart]:
    parts = [_part(block) for block in blocks]
    match parts:
        case []:
            return ""
        case [TextPart(text=text)]:
            return text
    return parts


def _part(block: Block) -> ContentPart:
    kind = block.get("type")
    read = _PARTS.get(str(kind))
    if read is None:
        raise InvalidRequestError(
            f"content block of type {kind!r} cannot be sent; known are {', '.join(sorted(_PARTS))}, and what OpenAI "
            "and Anthropic call these"
        )
    return read(block)


def _text(block: Block) -> TextPart:
    return TextPart(text=block.get("text") or "")


def _plain_text(block: Block) -> ContentPart:
    if block.get("text") is None:
        return _file({"mime_type": "text/plain", **block})
    said = [block.get("title"), block.get("context"), block["text"]]
    return TextPart(text="\n".join(piece for piece in said if piece))


def _image(block: Block) -> ImagePart:
    if "image_url" in block:  # the form of chat completions, where LangChain did not read it
        named = block["image_url"]
        block = {"extras": named, "url": named.get("url")} if isinstance(named, Mapping) else {"url": named}
    if block.get("file_id"):
        raise InvalidRequestError("an image cannot be sent by its file_id; give its bytes as base64, or a url")
    return ImagePart(
        url=block.get("url"),
        data=block.get("base64"),
        media_type=block.get("mime_type"),
        detail=_extra(block, "detail"),
    )


def _audio(block: Block) -> AudioPart:
    if block.get("file_id"):
        raise InvalidRequestError("audio cannot be sent by its file_id; give its bytes as base64, or a url")
    return AudioPart(url=block.get("url"), data=block.get("base64"), media_type=block.get("mime_type"))


def _file(block: Block) -> FilePart:
    url, data = block.get("url"), block.get("base64")
    return FilePart(
        url=url,
        data=data,
        # LangChain's reading of Anthropic's documents calls the file's number `id`.
        file_id=block.get("file_id") or (block.get("id") if url is None and data is None else None),
        media_type=block.get("mime_type"),
        name=_extra(block, "filename") or _extra(block, "name") or _extra(block, "title"),
    )


def _extra(block: Block, name: str) -> Any:
    """A fact that LangChain has no word for: beside the others, or among the extras."""
    found = block.get(name)
    return (block.get("extras") or {}).get(name) if found is None else found


_PARTS: dict[str, Callable[[Block], ContentPart]] = {
    "text": _text,
    "text-plain": _plain_text,
    "image": _image,
    "image_url": _image,
    "audio": _audio,
    "file": _file,
}

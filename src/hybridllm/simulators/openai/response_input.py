"""The input of a Responses request: messages, calls and their outputs, reasoning sent back."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from hybridllm.simulators.ask import Refused, Segment
from hybridllm.simulators.media import file_tokens
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.messages import image_of
from hybridllm.simulators.openai.response_store import Item, ResponseStore
from hybridllm.simulators.signatures import valid

_ROLES = ("user", "assistant", "system", "developer")
_TEXTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
_KINDS = (*_TEXTS, "input_image", "input_file", "input_audio")


class Input(Struct):
    """What the input comes to: pieces of the prompt, the last user text, and whether it ends in
    the outputs of calls. `calls` are those that still wait for their output."""

    segments: list[Segment]
    last_user: str = ""
    answers_tools: bool = False
    calls: list[str] = field(default_factory=list)


def read_input(items: list[Any], store: ResponseStore) -> Input:
    """Raises Refused naming the item at fault."""
    read = Input([])
    for at, item in enumerate(items):
        where = f"input[{at}]"
        if not isinstance(item, dict):
            raise errors.wrong_type(where, "an object", item)
        if item.get("type") == "item_reference":
            item = _referred(item, where, store)
        read.answers_tools = item.get("type") == "function_call_output"
        _read_item(item, where, store, read)
    if read.calls:
        raise errors.invalid(f"No tool output found for function call {read.calls[0]}.", "input")
    return read


def _referred(item: Item, where: str, store: ResponseStore) -> Item:
    item_id = item.get("id")
    if not isinstance(item_id, str):
        raise errors.missing(f"{where}.id")
    found = store.item(item_id)
    if found is None:
        raise _not_found(item_id)
    return found


def _not_found(item_id: str) -> Refused:
    return Refused(
        404,
        errors.INVALID,
        f"Item with id '{item_id[:64]}' not found. Items are not persisted when `store` is set to "
        "false. Try again with `store` set to true, or remove this item from your input.",
        param="input",
    )


def _read_item(item: Item, where: str, store: ResponseStore, read: Input) -> None:
    match item.get("type", "message"):
        case "message":
            _read_message(item, where, read)
        case "function_call":
            for name in ("call_id", "name", "arguments"):
                if not isinstance(item.get(name), str):
                    raise errors.missing(f"{where}.{name}")
            read.segments.append(Segment(f"{item['name']} {item['arguments']}"))
            read.calls.append(item["call_id"])
        case "function_call_output":
            _read_output(item, where, read)
        case "reasoning":
            _read_reasoning(item, where, store)
        case str():
            # Items of built-in tools pass as text.
            read.segments.append(Segment(msgspec.json.encode(item).decode()))
        case other:
            raise errors.wrong_type(f"{where}.type", "a string", other)


def _read_message(item: Item, where: str, read: Input) -> None:
    role = item.get("role")
    if role is None:
        raise errors.missing(f"{where}.role")
    if role not in _ROLES:
        raise errors.one_of(role, _ROLES, f"{where}.role")
    content = item.get("content")
    if content is None:
        raise errors.missing(f"{where}.content")
    text = _read_content(content, f"{where}.content", read)
    if role == "user":
        read.last_user = text


def _read_content(content: Any, where: str, read: Input) -> str:
    """The content's text; its pieces are added to the prompt."""
    if isinstance(content, str):
        read.segments.append(Segment(content))
        return content
    if not isinstance(content, list):
        raise errors.wrong_type(where, "a string or an array of objects", content)
    texts: list[str] = []
    for at, part in enumerate(content):
        place = f"{where}[{at}]"
        if not isinstance(part, dict):
            raise errors.wrong_type(place, "an object", part)
        kind = part.get("type")
        if not isinstance(kind, str):
            raise errors.missing(f"{place}.type")
        if kind in _TEXTS:
            text = part.get(_TEXTS[kind])
            if not isinstance(text, str):
                raise errors.missing(f"{place}.{_TEXTS[kind]}")
            read.segments.append(Segment(text))
            texts.append(text)
        elif kind == "input_image" and isinstance(part.get("image_url"), str):
            image = {"url": part["image_url"], "detail": part.get("detail")}
            read.segments.append(image_of(image, place))
        elif kind in _KINDS:
            raw = msgspec.json.encode(part).decode()
            read.segments.append(Segment(raw, tokens=file_tokens(raw)))
        else:
            raise errors.one_of(kind, _KINDS, f"{place}.type")
    return "\n".join(texts)


def _read_output(item: Item, where: str, read: Input) -> None:
    call_id = item.get("call_id")
    if not isinstance(call_id, str):
        raise errors.missing(f"{where}.call_id")
    if "output" not in item:
        raise errors.missing(f"{where}.output")
    if call_id not in read.calls:
        raise errors.invalid(
            f"No tool call found for function call output with call_id {call_id[:64]}.", "input"
        )
    read.calls.remove(call_id)
    _read_content(item["output"], f"{where}.output", read)


def _read_reasoning(item: Item, where: str, store: ResponseStore) -> None:
    """Sealed reasoning must be ours; without a seal it must be in the store. It is not billed."""
    item_id = item.get("id")
    if not isinstance(item.get("summary"), list):
        raise errors.missing(f"{where}.summary")
    sealed = item.get("encrypted_content")
    if sealed is None:
        if not isinstance(item_id, str) or store.item(item_id) is None:
            raise _not_found(str(item_id))
    elif not isinstance(sealed, str) or not valid("openai", sealed):
        raise errors.invalid(
            f"The encrypted content for item {str(item_id)[:64]} could not be verified. Reason: "
            "Encrypted content could not be decrypted or parsed.",
            code="invalid_encrypted_content",
        )

"""Directives: what a prompt tells a simulated model to do.

    [[sim output_tokens=50 tools=get_weather,get_time reasoning_tokens=30 finish=length]]
    [[sim say "exactly this"]]    [[sim echo]]    [[sim refuse]]

The last one in the last user message counts. Unknown words are refused by a 400 of the provider,
so that a misspelt directive cannot pass unnoticed.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

MARK = "[[sim"
_DIRECTIVE = re.compile(r"\[\[sim((?:\s+(?:\"(?:[^\"\\]|\\.)*\"|[^\s\]\"]+))*)\s*\]\]")
_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|[^\s\"]+")


class BadDirective(ValueError):
    """A directive that cannot be read. The message names the word."""


class Directive(Struct, kw_only=True, frozen=True):
    """`output_tokens` counts the answer's text; `reasoning_tokens` come on top of it.

    `tools` are the functions to call, `("*",)` for all that the request offers. `finish` is
    length or content_filter. `delay_ms` waits before the first byte. `event_ms` waits
    before each event of a stream. `redacted` asks for a sealed thinking block (Anthropic).
    `refuse` has the model refuse, `blocked` the provider's filter before it.
    """

    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    tools: tuple[str, ...] = ()
    finish: str | None = None
    delay_ms: int = 0
    event_ms: int = 0
    say: str | None = None
    echo: bool = False
    refuse: bool = False
    redacted: bool = False
    blocked: bool = False


NONE = Directive()
_NUMBERS = ("output_tokens", "reasoning_tokens", "delay_ms", "event_ms")
_FLAGS = ("echo", "refuse", "redacted", "blocked")
_FINISHES = ("length", "content_filter")


def read_directive(text: str) -> Directive:
    """The text's last directive; the empty one if it has none. Raises BadDirective."""
    if MARK not in text:
        return NONE
    found = list(_DIRECTIVE.finditer(text))
    if not found:
        raise BadDirective("the simulator's directive is not closed by ']]'")
    fields: dict[str, object] = {}
    words = _WORD.findall(found[-1].group(1))
    for at, word in enumerate(words):
        if word.startswith('"'):
            if at == 0 or words[at - 1] != "say":
                raise BadDirective(f"unexpected text {word} in the simulator's directive")
            fields["say"] = msgspec.json.decode(word)
        elif word != "say":
            _read_word(word, fields)
    if "say" in words and "say" not in fields:
        raise BadDirective("the simulator's directive 'say' needs a text in double quotes")
    return msgspec.convert(fields, Directive)


def _read_word(word: str, fields: dict[str, object]) -> None:
    name, _, value = word.partition("=")
    if name in _NUMBERS and value.isdecimal():
        fields[name] = int(value)
    elif name == "tools" and value:
        fields[name] = tuple(value.split(","))
    elif name == "finish" and value in _FINISHES:
        fields[name] = value
    elif word in _FLAGS:
        fields[word] = True
    else:
        raise BadDirective(f"the simulator's directive has no word '{word}'")


def without_directives(text: str) -> str:
    """The text as echo mode repeats it."""
    return _DIRECTIVE.sub("", text).strip()

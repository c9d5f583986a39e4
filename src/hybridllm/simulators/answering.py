"""The simulated model: a validated request in, an answer of exact length out. No clock, no chance:
the same request is answered alike every time."""

from __future__ import annotations

import re
from zlib import crc32

import msgspec

from hybridllm.simulators.ask import Answer, Ask, Call, OfferedTool
from hybridllm.simulators.counting import Counter, encoding_for
from hybridllm.simulators.directives import Directive, without_directives
from hybridllm.simulators.profiles import Profile
from hybridllm.simulators.prose import pieces_of, prose
from hybridllm.simulators.schema import instance_of
from hybridllm.tokens import cut_to_tokens

_WORDS = re.compile(r"\s*\S+\s*\Z|\s*\S+|\s+")
REFUSAL = "I'm sorry, but I can't help with that."


def answer(
    ask: Ask, directive: Directive, profile: Profile, counter: Counter, choice: int = 0
) -> Answer:
    """Choice number `choice` of the answer, of the profile's usual length where neither the
    directive nor a schema says otherwise."""
    encoding = encoding_for(ask.model)
    seed = crc32(ask.last_user.encode("utf-8", "surrogatepass")) + choice
    reply = Answer(seed=seed, redacted=directive.redacted)
    if directive.blocked:
        reply.finish = "blocked"
        return reply
    limit = ask.max_output if ask.max_output is not None else ask.spec.max_output_tokens
    _think(reply, ask, directive, profile, limit)
    left = limit - reply.reasoning_tokens
    calls = () if directive.refuse else _calls(ask, directive, seed)
    if directive.refuse:
        _set_text(reply, REFUSAL, left, counter, encoding)
        reply.finish = "refusal"
    elif calls:
        spoken = directive.say or prose(directive.output_tokens or 0, seed)
        _set_text(reply, spoken, left, counter, encoding)
        _set_calls(reply, calls, limit, counter, encoding)
    else:
        _speak(reply, ask, directive, profile.output_tokens, left, counter, encoding)
    if directive.finish is not None:
        reply.finish = directive.finish
    return reply


def _think(reply: Answer, ask: Ask, directive: Directive, profile: Profile, limit: int) -> None:
    tokens = directive.reasoning_tokens
    if tokens is None:
        tokens = min(ask.thinking, profile.thinking_tokens)
    if not ask.spec.reasoning or not tokens:
        return
    tokens = min(tokens, limit)
    reply.thinking = prose(tokens, reply.seed + 1)
    reply.reasoning_tokens = reply.output_tokens = tokens


def _calls(ask: Ask, directive: Directive, seed: int) -> tuple[Call, ...]:
    """The calls that the request forces or the directive asks for, among those offered."""
    if not ask.tools or not ask.may_call:
        return ()
    wanted: list[OfferedTool] = []
    if directive.tools and not ask.answers_tools:
        wanted = [
            tool for name in directive.tools for tool in ask.tools if name in ("*", tool.name)
        ]
    if ask.must_call is not None:
        allowed = [tool for tool in wanted or ask.tools if ask.must_call in ("*", tool.name)]
        wanted = allowed if wanted else allowed[:1]
    if not ask.parallel:
        wanted = wanted[:1]
    return tuple(
        Call(tool.name, msgspec.json.encode(instance_of(tool.schema, seed + at)).decode())
        for at, tool in enumerate(wanted)
    )


def _speak(
    reply: Answer,
    ask: Ask,
    directive: Directive,
    default_tokens: int,
    left: int,
    counter: Counter,
    encoding: str,
) -> None:
    if directive.say is not None:
        text = directive.say
    elif directive.echo:
        text = without_directives(ask.last_user)
    elif ask.schema is not None:
        text = msgspec.json.encode(instance_of(ask.schema, reply.seed)).decode()
    elif ask.json:
        text = msgspec.json.encode({"answer": prose(6, reply.seed)}).decode()
    else:
        _speak_prose(reply, ask, directive, default_tokens, left, counter, encoding)
        return
    text = _stopped(reply, text, ask.stops)
    _set_text(reply, text, left, counter, encoding)


def _speak_prose(
    reply: Answer,
    ask: Ask,
    directive: Directive,
    default_tokens: int,
    left: int,
    counter: Counter,
    encoding: str,
) -> None:
    wanted = default_tokens if directive.output_tokens is None else directive.output_tokens
    tokens = min(wanted, left)
    pieces = pieces_of(tokens, reply.seed)
    text = "".join(pieces)
    stopped = _stopped(reply, text, ask.stops) if ask.stops else text
    if stopped != text:
        _set_text(reply, stopped, left, counter, encoding)
        return
    reply.text, reply.pieces = text, pieces
    reply.output_tokens += tokens
    if tokens < wanted:
        reply.finish = "length"


def _stopped(reply: Answer, text: str, stops: tuple[str, ...]) -> str:
    """The text up to the first stop sequence in it."""
    hits = [(at, stop) for stop in stops if stop and (at := text.find(stop)) >= 0]
    if not hits:
        return text
    at, reply.stop_sequence = min(hits)
    reply.finish = "stop_sequence"
    return text[:at]


def _set_text(reply: Answer, text: str, left: int, counter: Counter, encoding: str) -> None:
    tokens = counter.count(text, encoding)
    if tokens > left:
        text = cut_to_tokens(text, max(left, 0), encoding)
        tokens = max(left, 0)
        reply.finish, reply.stop_sequence = "length", None
    reply.text = text
    reply.pieces = tuple(_WORDS.findall(text))
    reply.output_tokens += tokens


def _set_calls(
    reply: Answer, calls: tuple[Call, ...], limit: int, counter: Counter, encoding: str
) -> None:
    """As many whole calls as fit; a real model would stop within one, which no client can run."""
    fitting: list[Call] = []
    for call in calls:
        tokens = counter.count(call.name, encoding) + counter.count(call.arguments, encoding)
        if reply.output_tokens + tokens > limit:
            reply.finish = "length"
            break
        reply.output_tokens += tokens
        fitting.append(call)
    else:
        reply.finish = "tool"
    reply.calls = tuple(fitting)

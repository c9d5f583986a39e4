"""Checks of a held answer: by schema, expression, tests, or a judge.

What a check says in words holds nothing of the answer: it goes into headers and the ledger.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Cascade, Model
from hybridllm.checks.rubric import USUAL, judgement, question_for_judge
from hybridllm.checks.said import Said
from hybridllm.checks.schema import misfit, validator, validator_of
from hybridllm.checks.text import code_of
from hybridllm.config import Config
from hybridllm.engine.beside import Beside, judge_of
from hybridllm.engine.call import Answer
from hybridllm.engine.trip import Trip
from hybridllm.errors import ConfigError, HybridError, ProviderError
from hybridllm.wire.conversation import Conversation, Part, Text, ToolCall, ToolResult
from hybridllm.wire.dialect import Facts
from hybridllm.wire.registry import get_dialect

if TYPE_CHECKING:
    from hybridllm.engine.runtime import Runtime

_JUDGE_TRIES = 2
_CODE = ("python", "py", "python3")

Ask = Callable[[Trip, Model], Awaitable[Answer | HybridError]]
"""The attempts of a trip with one model, as its breaker allows: its answer, or the last error."""


class Checked(Struct, frozen=True):
    """`passed` None: it could not be told. `why` says in words what was found."""

    passed: bool | None
    why: str


def can_check(cascade: Cascade, facts: Facts) -> bool:
    """Whether the request has what its check looks at: by schema, it must state one, of its answer
    or of its tools, where the task does not."""
    stated = cascade.schema is not None or facts.wants_schema or facts.tools > 0
    return cascade.check != "schema" or stated


def refuse_unusable(config: Config) -> None:
    """Raises ConfigError for a check that cannot be made here: without the library, or without a
    sandbox. Blocks for a moment where a task has tests."""
    each = [
        (f"tasks.{task.name}.{key}", said)
        for task in config.tasks.values()
        for key, said in (("cascade", task.cascade), ("monitor", task.monitor))
        if said is not None
    ]
    for field, said in each:
        try:
            if said.check == "schema":
                validator({} if said.schema is None else msgspec.json.decode(said.schema))
            elif said.check == "tests":
                from hybridllm.checks.sandbox import check

                check()
        except (HybridError, ValueError) as e:
            remedy = e.remedy if isinstance(e, HybridError) else "Mend the schema."
            message = e.message if isinstance(e, HybridError) else f"The schema {e}."
            raise ConfigError(message, where=config.path, field=field, remedy=remedy) from None


async def check(
    runtime: Runtime, trip: Trip, cascade: Cascade, said: Said, ask: Ask, sides: list[Beside]
) -> Checked:
    """What the cascade's check says of an answer; of self-consistency nothing, since that is found
    by asking more than once (`cascading`). Trips that it needs beside are added to `sides`."""
    if said.unfit:
        return Checked(False, said.unfit)
    match cascade.check:
        case "schema":
            return _by_schema(trip, cascade, said)
        case "regex":
            found = re.search(cascade.expression or "", said.content) is not None
            return Checked(found, "the expression is" + (" " if found else " not ") + "in it")
        case "tests":
            return await _by_tests(runtime, cascade, said)
        case "judge":
            return await _by_judge(runtime, trip, cascade, said, ask, sides)
        case _:
            return Checked(None, "no check")


def _by_schema(trip: Trip, cascade: Cascade, said: Said) -> Checked:
    """The task's schema, else the request's own: of the tools that are called, else of its
    answer. What is wrong with the request's own schema its provider will say."""
    try:
        if cascade.schema is not None:
            only = trip.facts.wants_schema or trip.facts.wants_json
            why = misfit(said.content, validator_of(cascade.schema), only=only)
        elif said.calls:
            why = _wrong_calls(trip.conversation, said)
        else:
            wanted = trip.conversation.output
            if wanted is None or wanted.schema is None:
                return Checked(True, "it calls no tool, and need not")
            why = misfit(said.text, _validator(wanted.schema), only=True)
    except (HybridError, ValueError):
        return Checked(None, "the request's schema cannot be read")
    return Checked(not why, why or "it fits the schema")


def _wrong_calls(conversation: Conversation, said: Said) -> str:
    schemas = {tool.name: tool.schema for tool in conversation.tools if tool.opaque is None}
    for call in said.calls:
        if call.name not in schemas:
            return "it calls a tool that is not there"
        schema = schemas[call.name]
        why = misfit(call.arguments, _validator(schema), only=True) if schema else ""
        if why:
            return f"a call: {why}"
    return ""


def _validator(schema: object) -> object:
    return validator_of(msgspec.json.encode(schema).decode())


async def _by_tests(runtime: Runtime, cascade: Cascade, said: Said) -> Checked:
    """In a thread, as many at a time as there are cores. Nobody waits for a run whose caller is
    gone: it ends at its limit."""
    from hybridllm.checks.sandbox import Limits, run_python

    code = f"{cascade.before}\n{code_of(said.text, *_CODE)}"
    limits = Limits(seconds=cascade.seconds)
    try:
        async with runtime.sandbox:
            ran = await asyncio.to_thread(run_python, code, cascade.tests or "", limits)
    except HybridError:
        return Checked(None, "there is no sandbox")
    return Checked(ran.ok, "its tests passed" if ran.ok else "its tests failed")


async def _by_judge(
    runtime: Runtime, trip: Trip, cascade: Cascade, said: Said, ask: Ask, sides: list[Beside]
) -> Checked:
    judge = runtime.models[cascade.judge or ""]
    question = question_for_judge(
        cascade.rubric or USUAL, question_of(trip.conversation), said.content, cascade.scale
    )
    body = msgspec.json.encode(
        {"model": judge.id, "messages": [{"role": "user", "content": question}]}
    )
    reason = f"{trip.task.name}: {judge.name} judges the answer of {cascade.first}"
    openai = get_dialect("openai")
    for _ in range(_JUDGE_TRIES):
        side = judge_of(trip, judge, body, reason)
        sides.append(side)
        answer = await ask(side, judge)
        if isinstance(answer, HybridError):
            return Checked(None, f"{judge.name}, its judge, gave no answer")
        try:
            reply = openai.decode_reply(answer.body)
        except ProviderError:
            continue
        text = "".join(part.text for part in reply.parts if isinstance(part, Text))
        verdict = judgement(text, cascade.scale)
        if verdict is not None:
            points = f"{judge.name} gave it {verdict.score:g} of {cascade.scale}"
            return Checked(verdict.score >= cascade.least, points)
    return Checked(None, f"{judge.name}, its judge, gave no score")


def question_of(conversation: Conversation) -> str:
    """A request as one text, for a judge."""
    said = [f"system: {part.text}" for part in conversation.system]
    for message in conversation.messages:
        said.append(f"{message.role}: " + "\n".join(map(_shown, message.parts)))
    alone = len(said) == 1 and not conversation.system
    return said[0].partition(": ")[2] if alone else "\n\n".join(said)


def _shown(part: Part) -> str:
    match part:
        case Text():
            return part.text
        case ToolCall():
            return f"(calls {part.name}: {part.arguments})"
        case ToolResult():
            return "\n".join(map(_shown, part.parts))
        case _:
            return f"({type(part).__name__.lower()})"

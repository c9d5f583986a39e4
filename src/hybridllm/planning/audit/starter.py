"""A first hybridllm.toml from an audit: its labels as tasks, its answers' usual length."""

from __future__ import annotations

import json
import re
from decimal import Decimal

from hybridllm.catalog.structs import Task
from hybridllm.config import Config
from hybridllm.money import PICODOLLARS
from hybridllm.planning.audit.report import Audit, TaskLine

_LEAST_SHARE = 1000
"""Tasks of less than a thousandth of the bill are left out."""


def starter(result: Audit, config: Config) -> str:
    """The file's text. It names what differs from the preset, and what each task costs."""
    used = [line for line in result.models if line.id and line.id in config.catalog.models]
    chat = [line.id for line in used if config.catalog.models[line.id].kind == "chat"]
    parts = [
        f"# Written by hybridllm audit from {_counted(len(result.files), 'file')}, "
        + _counted(result.rows, "row")
        + (f", {result.first} to {result.last}." if result.first else "."),
        "# Keys are read from OPENAI_API_KEY, ANTHROPIC_API_KEY and GEMINI_API_KEY.",
        "",
        f"preset = {_text(config.preset)}",
    ]
    if chat:
        parts += [
            "",
            "[routing]",
            "# The model with the largest part of the bill: savings are told against it.",
            f"baseline = {_text(chat[0])}",
        ]
    named: set[str] = set()
    for line in result.tasks:
        name = task_name(line.name)
        if line.now * _LEAST_SHARE < result.now or name in named or line.why == "stays":
            continue
        named.add(name)
        parts += ["", *_task(line, name, config.tasks[line.task], known=name in config.tasks)]
    return "\n".join(parts) + "\n"


def task_name(label: str) -> str:
    """A label as a task's name: lower-case letters, digits and _ . - (at most 64)."""
    name = re.sub(r"[^a-z0-9_.-]+", "_", label.lower()).strip("_.-")
    return name[:64] or "unnamed"


def _task(line: TaskLine, name: str, like: Task, *, known: bool) -> list[str]:
    routed = next(iter(line.routed), "")
    calls = _counted(line.calls, "call") if line.calls else _counted(line.rows, "row")
    said = [
        f"# {calls}: {_dollars(line.now)} now, {_dollars(line.batched)} on {routed}"
        + (" in batches." if like.can_wait else "."),
        f"[tasks.{name if re.fullmatch(r'[a-z0-9_-]+', name) else _text(name)}]",
    ]
    if not known:
        said += [
            f"# {_comment(line.name)}, taken for {like.name} (by {line.how}); callers name it so.",
            f"tier = {_text(like.tier)}",
            f"bar = {like.bar}",
            f"candidates = {_list(like.candidates)}",
        ]
        if like.fallbacks:
            said.append(f"fallbacks = {_list(like.fallbacks)}")
        said.append(f"can_wait = {str(like.can_wait).lower()}")
    if line.calls:
        said.append(f"output_tokens = {max(1, line.output_tokens // line.calls)}")
    elif known:
        said.append(f"output_tokens = {like.output_tokens}")
    return said


def _list(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(map(_text, names)) + "]"


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=True)


def _comment(value: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value)


def _dollars(picodollars: int) -> str:
    return f"${Decimal(picodollars) / PICODOLLARS:,.2f}"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"

"""Data to typed structs, every mistake told with its place, its key and a remedy."""

from __future__ import annotations

import re
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Task, Tier
from hybridllm.config import (
    BreakerConfig,
    Deadlines,
    KeyConfig,
    LedgerConfig,
    ProviderConfig,
    RetryConfig,
    RoutingConfig,
    Rule,
    ServerConfig,
)
from hybridllm.config_file.document import Documents, did_you_mean
from hybridllm.config_file.lines import Path

T = TypeVar("T", bound=Struct)

_PLACE = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")

POSITIVE = 1e-9
SHARE = (0.0, 1.0)
_SECONDS = (POSITIVE, 86_400.0)
_COUNT = (1, 10**12)

BOUNDS: dict[type[Struct], dict[str, tuple[float, float]]] = {
    KeyConfig: {"weight": (1, 1000)},
    Deadlines: dict.fromkeys(("connect", "first_byte", "between_bytes", "total"), _SECONDS),
    RetryConfig: {
        "attempts": (1, 20),
        "base_seconds": _SECONDS,
        "cap_seconds": _SECONDS,
        "budget_ratio": (0, 10),
        "budget_floor": (0, 10_000),
    },
    BreakerConfig: {"failures": (1, 10_000), "window": (1, 10_000), "open_seconds": _SECONDS},
    ProviderConfig: {"max_connections": (1, 100_000)},
    ServerConfig: {
        "port": (0, 65_535),
        "workers": (1, 256),
        "max_body_bytes": _COUNT,
        "body_seconds": _SECONDS,
        "drain_seconds": (0, 86_400),
    },
    LedgerConfig: {"load_seconds": _SECONDS},
    RoutingConfig: {"session_seconds": (0, 31_536_000), "max_sessions": _COUNT},
    Rule: {"min_input_tokens": (0, 10**12), "max_input_tokens": (0, 10**12)},
    Task: {"bar": SHARE, "output_tokens": _COUNT, "max_latency_ms": _COUNT},
}
"""What a number may be, inclusive, by struct and field."""


def convert(kind: type[T], data: Any, path: Path, documents: Documents) -> T:
    """`data` as a `kind`. Raises ConfigError at `path`, or at what is wrong below it."""
    if not isinstance(data, dict):
        raise documents.error(path, "This must be a table.", "Write it as [section] with keys.")
    for name in data:
        if name not in kind.__struct_fields__:
            raise _unknown(kind, name, (*path, name), documents)
    try:
        made = msgspec.convert(data, kind)
    except msgspec.ValidationError as e:
        raise _explained(kind, str(e), path, documents) from None
    check_bounds(made, path, documents)
    return made


def check_bounds(value: Any, path: Path, documents: Documents) -> None:
    """Raises ConfigError when a number in `value`, or in a struct within it, is out of bounds."""
    bounds = BOUNDS.get(type(value), {})
    for name in value.__struct_fields__:
        held = getattr(value, name)
        if isinstance(held, Struct):
            check_bounds(held, (*path, name), documents)
        elif isinstance(held, tuple):
            for index, item in enumerate(held):
                if isinstance(item, Struct):
                    check_bounds(item, (*path, name, index), documents)
        elif name in bounds and held is not None:
            check_number(held, *bounds[name], (*path, name), documents)


def check_number(number: float, low: float, high: float, path: Path, documents: Documents) -> None:
    """Raises ConfigError at `path` unless `low` <= `number` <= `high`."""
    if low <= number <= high:
        return
    least = "more than 0" if low == POSITIVE else f"{low:,.10g} or more"
    raise documents.error(
        path, f"{number} is out of range.", f"It must be {least} and at most {high:,.15g}."
    )


def _explained(kind: type[Struct], message: str, path: Path, documents: Documents) -> Exception:
    """msgspec's message, with the place that it names below `path`."""
    found = _PLACE.match(message)
    what, steps = (found[1], found[2] or "") if found else (message, "")
    inner: type[Struct] | None = kind
    for name, index in _STEP.findall(steps):
        path += (name,) if name else (int(index),)
        if name and inner is not None:
            inner = _struct_in(msgspec.structs.fields(inner), name)
    if (unknown := _UNKNOWN.match(what)) is not None and inner is not None:
        return _unknown(inner, unknown[1], (*path, unknown[1]), documents)
    if (missing := _MISSING.match(what)) is not None:
        return documents.error(path, f"`{missing[1]}` is missing.", "Add it.")
    remedy = "Give a value of that type."
    if "enum" in what:
        remedy = f"Use one of: {', '.join(tier.value for tier in Tier)}."
    plain = what.replace("`", "").replace("null", "nothing").rstrip(".")
    return documents.error(path, f"{plain}.", remedy)


def _unknown(kind: type[Struct], name: str, path: Path, documents: Documents) -> Exception:
    return documents.error(
        path, "There is no such key.", did_you_mean(name, kind.__struct_fields__)
    )


def _struct_in(fields: tuple[msgspec.structs.FieldInfo, ...], name: str) -> type[Struct] | None:
    """The struct that field `name` holds, alone or as the elements of a tuple."""
    for field in fields:
        if field.name == name:
            for kind in (field.type, *get_args(field.type)):
                if isinstance(kind, type) and issubclass(kind, Struct):
                    return kind
    return None

"""Data to typed structs, every mistake told with its place, its key and a remedy."""

from __future__ import annotations

import re
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from hybridllm.catalog.structs import Capture, Cascade, Monitor, Task, Tier
from hybridllm.config import (
    AlertsConfig,
    BatchConfig,
    BreakerConfig,
    Deadlines,
    KeyConfig,
    LedgerConfig,
    OverheadConfig,
    ProviderConfig,
    ResponseCacheConfig,
    RetryConfig,
    ReviewConfig,
    RoutingConfig,
    Rule,
    ServerConfig,
)
from hybridllm.config_file.document import Documents, did_you_mean, show
from hybridllm.config_file.lines import Path

T = TypeVar("T", bound=Struct)

_PLACE = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")
_MISSING = re.compile(r"Object missing required field `(.*)`")

POSITIVE = 1e-9
SHARE = (0.0, 1.0)
_SECONDS = (POSITIVE, 86_400.0)
_COUNT = (1, 10**12)
_DOLLARS = (0, 10**9)
_MONTH_HOURS = (0, 100_000)

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
    OverheadConfig: {
        "hourly_rate_usd": _DOLLARS,
        "hours_a_day": (POSITIVE, 24),
        "setup_days": (0, 10_000),
        "adaptation_hours": _MONTH_HOURS,
        "amortise_months": (POSITIVE, 1200),
        "maintenance_hours": _MONTH_HOURS,
        "evaluation_usd": _DOLLARS,
        "incident_usd": _DOLLARS,
        "incident_requests": _COUNT,
        "target_percent": (0, 100),
    },
    ReviewConfig: {"every_days": (0, 3660)},
    AlertsConfig: {"breaker_minutes": (POSITIVE, 100_000)},
    BatchConfig: {
        **dict.fromkeys(("max_bytes", "max_lines", "job_bytes"), _COUNT),
        "job_lines": (1, 50_000),
        "min_lines": _COUNT,
        "max_age_seconds": (0, 86_400.0),
        "max_enqueued_tokens": (0, 10**12),
        **dict.fromkeys(("poll_seconds", "max_poll_seconds", "usual_seconds"), _SECONDS),
        "margin_seconds": (0, 86_400.0),
        "live_calls": (1, 10_000),
        "retries": (0, 100),
        "keep_days": (POSITIVE, 3660),
    },
    ResponseCacheConfig: {"max_entry_bytes": _COUNT, "memory_bytes": (0, 10**12)},
    RoutingConfig: {"session_seconds": (0, 31_536_000), "max_sessions": _COUNT},
    Rule: {"min_input_tokens": (0, 10**12), "max_input_tokens": (0, 10**12)},
    Cascade: {
        "seconds": (POSITIVE, 60.0),
        "samples": (2, 20),
        "agree": (2, 20),
        "scale": (2, 100),
        "least": (1, 100),
        "expected_pass": SHARE,
        "prior_checks": (1, 1_000_000),
    },
    Monitor: {"share": SHARE, "seconds": (POSITIVE, 60.0)},
    Capture: {"share": SHARE, "keep_days": (POSITIVE, 3660), "keep": (1, 1_000_000)},
    Task: {"bar": SHARE, "output_tokens": _COUNT, "max_latency_ms": _COUNT},
}
"""What a number may be, inclusive, by struct and field."""


def convert(kind: type[T], data: Any, path: Path, documents: Documents) -> T:
    """`data` as a `kind`. Raises ConfigError at `path`, or at what is wrong below it."""
    if not isinstance(data, dict):
        raise documents.error(path, "This must be a table.", f"Write it as [{show(path)}].")
    for name in data:
        if name not in kind.__struct_fields__:
            raise _unknown(kind, name, (*path, name), documents)
    try:
        made = msgspec.convert(data, kind)
    except msgspec.ValidationError as e:
        raise _explained(kind, data, str(e), path, documents) from None
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
                elif name in bounds:
                    check_number(item, *bounds[name], (*path, name, index), documents)
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


def _explained(
    kind: type[Struct], data: Any, message: str, path: Path, documents: Documents
) -> Exception:
    """msgspec's message, with the place that it names below `path`."""
    found = _PLACE.match(message)
    what, steps = (found[1], found[2] or "") if found else (message, "")
    inner: Any = kind
    for name, index in _STEP.findall(steps):
        step = name or (int(index) if index.isdigit() else _wrong_key(data, inner))
        path += (step,)
        inner, data = _inside(inner, step), _item(data, step)
    struct = next(filter(_is_struct, _options(inner)), None)
    if struct is not None and isinstance(data, dict):
        for name in data:
            # Also where msgspec complains of a key that is missing: it is probably this one.
            if name not in struct.__struct_fields__:
                return _unknown(struct, name, (*path, name), documents)
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


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _options(kind: Any) -> tuple[Any, ...]:
    """The types that `kind` may be: itself, or the members of a union."""
    return get_args(kind) if isinstance(kind, UnionType) else (kind,)


def _inside(kind: Any, step: str | int) -> Any:
    """The type of what stands at `step` (a key or an index) of a `kind`; None: not known."""
    for option in _options(kind):
        if _is_struct(option):
            return next((f.type for f in fields(option) if f.name == step), None)
        if get_origin(option) in (tuple, list):
            return get_args(option)[0]
        if get_origin(option) is dict:
            return get_args(option)[1]
    return None


def _item(data: Any, step: str | int) -> Any:
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None


def _wrong_key(data: Any, kind: Any) -> str:
    """The first key of a table whose value is not of the type that `kind` (a dict) wants: of those
    msgspec says only that there is one."""
    for key, value in data.items():
        try:
            msgspec.convert(value, _inside(kind, key))
        except msgspec.ValidationError:
            return str(key)
    return "..."

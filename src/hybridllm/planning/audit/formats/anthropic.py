"""Anthropic's usage and cost reports: the admin API's pages of buckets, and the console's CSV.

Shapes: https://platform.claude.com/docs/en/api/admin-api/usage-cost (messages usage, cost report).
They count tokens and not calls, and say whether a call's input was above 200,000 tokens.
"""

from __future__ import annotations

import re

from hybridllm.planning.audit.formats.shape import Format, Mapping, quoted, results, table
from hybridllm.planning.audit.head import Head

_CSV = {
    "input": "usage_input_tokens_no_cache",
    "cached": "usage_input_tokens_cache_read",
    "written": "usage_input_tokens_cache_write_5m",
    "written_long": "usage_input_tokens_cache_write_1h",
    "output": "usage_output_tokens",
}
_PAGES = {
    "input": ("uncached_input_tokens", "r->>'uncached_input_tokens'"),
    "cached": ("cache_read_input_tokens", "r->>'cache_read_input_tokens'"),
    "written": (
        "cache_creation.ephemeral_5m_input_tokens",
        "r->'cache_creation'->>'ephemeral_5m_input_tokens'",
    ),
    "written_long": (
        "cache_creation.ephemeral_1h_input_tokens",
        "r->'cache_creation'->>'ephemeral_1h_input_tokens'",
    ),
    "output": ("output_tokens", "r->>'output_tokens'"),
}
_UNCACHED = re.compile(r'"uncached_input_tokens"\s*:')
"""As a key: in a cost report it is a kind of token, a value."""
_ABOVE = 200_001
"""An input that is surely above the 200,000 tokens of the smaller context window."""


def _size(window: str, large: str) -> str:
    return f"CASE WHEN {window} LIKE {large} THEN {_ABOVE} ELSE 0 END"


def _is_usage_csv(head: Head) -> bool:
    return {"usage_date_utc", "usage_input_tokens_no_cache", "usage_output_tokens"} <= head.lower


def _usage_csv(head: Head) -> Mapping:
    numbers = {key: quoted(name) for key, name in _CSV.items() if name in head.lower}
    model = head.column("model_version", "model") or "model"
    return Mapping(
        relation=table(head),
        model=quoted(model),
        numbers=numbers,
        names={"model": model, "at": "usage_date_utc", **_CSV},
        at="usage_date_utc",
        batch="usage_type" if "usage_type" in head.lower else None,
        size=_size("context_window", "'>%'") if "context_window" in head.lower else None,
        input_is_all=False,
        sums=True,
    )


def _is_usage_pages(head: Head) -> bool:
    return _UNCACHED.search(head.text) is not None and '"starting_at"' in head.text


def _usage_pages(head: Head) -> Mapping:
    return Mapping(
        relation=results(head),
        model="r->>'model'",
        numbers={key: expression for key, (_, expression) in _PAGES.items()},
        names={
            "model": "model",
            "at": "starting_at",
            **{key: name for key, (name, _) in _PAGES.items()},
        },
        at="bucket->>'starting_at'",
        batch="r->>'service_tier'",
        size=_size("(r->>'context_window')", "'200k-%'"),
        input_is_all=False,
        sums=True,
    )


def _is_cost_csv(head: Head) -> bool:
    return {"usage_date_utc", "token_type", "cost_usd"} <= head.lower


def _cost_csv(head: Head) -> Mapping:
    return Mapping(
        relation=table(head),
        model="''",
        numbers={},
        names={"cost": "cost_usd", "at": "usage_date_utc"},
        at="usage_date_utc",
        cost="cost_usd",
        required=(),
    )


def _is_cost_pages(head: Head) -> bool:
    is_ours = '"starting_at"' in head.text and '"amount"' in head.text
    return is_ours and '"currency"' in head.text


def _cost_pages(head: Head) -> Mapping:
    """`amount` is a decimal text of cents."""
    return Mapping(
        relation=results(head),
        model="''",
        numbers={},
        names={"cost": "amount", "at": "starting_at"},
        at="bucket->>'starting_at'",
        cost="r->>'amount'",
        cost_power=10,
        required=(),
    )


ANTHROPIC_USAGE_CSV = Format(
    name="anthropic-usage-csv",
    title="Anthropic usage export",
    matches=_is_usage_csv,
    mapping=_usage_csv,
)
ANTHROPIC_USAGE = Format(
    name="anthropic-usage",
    title="Anthropic usage API",
    matches=_is_usage_pages,
    mapping=_usage_pages,
)
ANTHROPIC_COSTS_CSV = Format(
    name="anthropic-costs-csv",
    title="Anthropic cost export",
    matches=_is_cost_csv,
    mapping=_cost_csv,
    holds="costs",
    provider="anthropic",
)
ANTHROPIC_COSTS = Format(
    name="anthropic-costs",
    title="Anthropic cost API",
    matches=_is_cost_pages,
    mapping=_cost_pages,
    holds="costs",
    provider="anthropic",
)

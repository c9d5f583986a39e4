"""OpenAI's organisation usage and costs: the admin API's pages of buckets, and the dashboard's CSV.

Shapes: https://developers.openai.com/api/docs/api-reference/usage (completions and costs). The
dashboard writes one CSV row a bucket and group, and rows without figures for empty buckets.
"""

from __future__ import annotations

from hybridllm.planning.audit.formats.shape import Format, Mapping, epoch, quoted, results, table
from hybridllm.planning.audit.head import Head

_NUMBERS = {
    "input": "input_tokens",
    "cached": "input_cached_tokens",
    "written": "input_cache_write_tokens",
    "output": "output_tokens",
    "requests": "num_model_requests",
}


def _is_usage_csv(head: Head) -> bool:
    return {"start_time", "num_model_requests", "input_tokens"} <= head.lower


def _usage_csv(head: Head) -> Mapping:
    numbers = {key: quoted(name) for key, name in _NUMBERS.items() if name in head.lower}
    return Mapping(
        relation=table(head),
        model=quoted("model") if "model" in head.lower else "NULL",
        numbers=numbers,
        names={"model": "model", "at": "start_time", **_NUMBERS},
        at=epoch("start_time"),
        batch="batch" if "batch" in head.lower else None,
        skip=(("buckets without usage", "coalesce(num_model_requests, '') = ''"),),
    )


def _is_usage_pages(head: Head) -> bool:
    return '"num_model_requests"' in head.text and '"data"' in head.text


def _usage_pages(head: Head) -> Mapping:
    return Mapping(
        relation=results(head),
        model="r->>'model'",
        numbers={key: f"r->>'{name}'" for key, name in _NUMBERS.items()},
        names={"model": "model", "at": "start_time", **_NUMBERS},
        at=epoch("(bucket->>'start_time')"),
        batch="r->>'batch'",
    )


def _is_cost_csv(head: Head) -> bool:
    return {"amount_value", "amount_currency"} <= head.lower


def _cost_csv(head: Head) -> Mapping:
    return Mapping(
        relation=table(head),
        model="''",
        numbers={},
        names={"cost": "amount_value", "at": "start_time"},
        at=epoch("start_time"),
        cost="amount_value",
        skip=(("buckets without costs", "coalesce(amount_value, '') = ''"),),
        required=(),
    )


def _is_cost_pages(head: Head) -> bool:
    return '"organization.costs.result"' in head.text


def _cost_pages(head: Head) -> Mapping:
    return Mapping(
        relation=results(head),
        model="''",
        numbers={},
        names={"cost": "amount.value", "at": "start_time"},
        at=epoch("(bucket->>'start_time')"),
        cost="r->'amount'->>'value'",
        required=(),
    )


OPENAI_USAGE_CSV = Format(
    name="openai-usage-csv",
    title="OpenAI usage export",
    matches=_is_usage_csv,
    mapping=_usage_csv,
)
OPENAI_USAGE = Format(
    name="openai-usage",
    title="OpenAI usage API",
    matches=_is_usage_pages,
    mapping=_usage_pages,
)
OPENAI_COSTS_CSV = Format(
    name="openai-costs-csv",
    title="OpenAI cost export",
    matches=_is_cost_csv,
    mapping=_cost_csv,
    holds="costs",
    provider="openai",
)
OPENAI_COSTS = Format(
    name="openai-costs",
    title="OpenAI costs API",
    matches=_is_cost_pages,
    mapping=_cost_pages,
    holds="costs",
    provider="openai",
)

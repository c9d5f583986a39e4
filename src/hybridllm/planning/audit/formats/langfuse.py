"""Langfuse's observations: the UI's export (CSV, JSON), the API's pages, and the blob storage's
files (JSON lines, CSV), whose fields are snake_case.

https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields. Kinds of usage
do not overlap there: `input` is without what was cached, `output` without reasoning. Only
generations and embeddings are calls; spans, tools and agents around them are left aside.
"""

from __future__ import annotations

from hybridllm.planning.audit.formats.shape import Format, Mapping, is_array, quoted, table, text
from hybridllm.planning.audit.head import Head

_KEYS = {
    "input": ("input", "prompt_tokens", "promptTokens", "input_tokens"),
    "cached": ("cache_read_input_tokens", "input_cached_tokens", "input_cache_read"),
    "written": ("cache_creation_input_tokens", "input_cache_creation", "input_cache_write"),
    "output": ("output", "completion_tokens", "completionTokens", "output_tokens"),
    "reasoning": ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens"),
}
_FLAT = {
    "input": ("prompttokens", "inputusage", "inputtokens", "input_tokens"),
    "output": ("completiontokens", "outputusage", "outputtokens", "output_tokens"),
}
_NAMELESS = "^(openai-generation|chatopenai|chatanthropic|litellm-.*|generation|llm|chat .*)$"
"""Names that integrations give to any call, which say nothing of the task."""
_PAGE_TYPES = {
    "type": "VARCHAR",
    "name": "VARCHAR",
    "model": "VARCHAR",
    "startTime": "VARCHAR",
    "usageDetails": "VARCHAR",
    "usage": "VARCHAR",
    "costDetails": "VARCHAR",
    "calculatedTotalCost": "VARCHAR",
    "promptName": "VARCHAR",
    "input": "VARCHAR",
}


def _is_page(head: Head) -> bool:
    return head.kind in ("json", "jsonl") and not is_array(head) and '"data"' in head.text[:4096]


def _matches(head: Head) -> bool:
    usage = {"usagedetails", "usage_details", "usage", "prompttokens", "inputusage"}
    if head.lower & {"traceid", "trace_id"} and head.lower & usage:
        return True
    return _is_page(head) and '"traceId"' in head.text and '"usage' in head.text


def _relation(head: Head) -> tuple[str, frozenset[str]]:
    """What to read from, and its columns in lower case."""
    if not _is_page(head):
        return table(head), head.lower
    fields = ", ".join(f"o->>{text('$.' + key)} AS {quoted(key)}" for key in _PAGE_TYPES)
    read = table(head, {"data": "JSON[]"}, page=True)
    rows = f"(SELECT unnest(data) AS o FROM {read})"
    return f"(SELECT {fields} FROM {rows})", frozenset(key.lower() for key in _PAGE_TYPES)


def _mapping(head: Head) -> Mapping:
    relation, there = _relation(head)

    def first(*names: str) -> str | None:
        found = [quoted(name) for name in names if name in there]
        return f"coalesce({', '.join(found)})" if found else None

    details = [name for name in ("usagedetails", "usage_details", "usage") if name in there]
    numbers = {}
    for key, keys in _KEYS.items():
        paths = [
            f"TRY_CAST({quoted(column)} AS JSON)->>'$.{name}'"
            for column in details
            for name in keys
        ]
        paths += [quoted(name) for name in _FLAT.get(key, ()) if name in there]
        if paths:
            numbers[key] = f"coalesce({', '.join(paths)})"
    if "reasoning" in numbers and "output" in numbers:
        output, thought = (f"TRY_CAST({numbers[key]} AS BIGINT)" for key in ("output", "reasoning"))
        numbers["output"] = (
            f"CASE WHEN {thought} IS NULL THEN {numbers['output']} "
            f"ELSE CAST({output} + {thought} AS VARCHAR) END"
        )
    costs = [
        f"TRY_CAST({quoted(name)} AS JSON)->>'$.total'"
        for name in ("costdetails", "cost_details")
        if name in there
    ]
    flat = first("totalcost", "total_cost", "calculatedtotalcost", "calculated_total_cost")
    costs += [flat] if flat else []
    name = first("name")
    named = f"CASE WHEN NOT regexp_matches(lower({name}), '{_NAMELESS}') THEN {name} END"
    labels = [first("promptname", "prompt_name"), named if name else None]
    label = ", ".join(label for label in labels if label)
    skip = []
    if "type" in there:
        skip.append(
            ("spans that are no generations", "upper(type) NOT IN ('GENERATION', 'EMBEDDING')")
        )
    model = first("model", "provided_model_name", "providedmodelname", "model_id") or "NULL"
    usable = numbers.get("input", "NULL")
    skip.append(("generations without usage", f"{usable} IS NULL AND {model} IS NULL"))
    return Mapping(
        relation=relation,
        model=model,
        numbers=numbers,
        names={
            "model": "model",
            "at": "startTime",
            "cost": "totalCost",
            **{key: f"usageDetails.{keys[0]}" for key, keys in _KEYS.items()},
        },
        at=first("starttime", "start_time"),
        label=f"coalesce({label})" if label else None,
        cost=f"coalesce({', '.join(costs)})" if costs else None,
        prompt=first("input"),
        input_is_all=False,
        skip=tuple(skip),
    )


LANGFUSE = Format(
    name="langfuse", title="Langfuse observations", matches=_matches, mapping=_mapping
)

"""LiteLLM's spend logs: rows of its table LiteLLM_SpendLogs as CSV, JSON or JSON lines.

`prompt_tokens` there counts all input, for Anthropic's models too; what was read from and written
to a cache is in `metadata`. `spend` is LiteLLM's own figure, a float of dollars. Rows that its
response cache answered, and failures, reached no bill.
"""

from __future__ import annotations

from hybridllm.planning.audit.formats.shape import Format, Mapping, quoted, table
from hybridllm.planning.audit.head import Head

_PATHS = {
    "cached": (
        "$.additional_usage_values.cache_read_input_tokens",
        "$.additional_usage_values.prompt_tokens_details.cached_tokens",
        "$.usage_object.cache_read_input_tokens",
        "$.usage_object.prompt_tokens_details.cached_tokens",
    ),
    "written": (
        "$.additional_usage_values.cache_creation_input_tokens",
        "$.usage_object.cache_creation_input_tokens",
    ),
    "reasoning": (
        "$.additional_usage_values.completion_tokens_details.reasoning_tokens",
        "$.usage_object.completion_tokens_details.reasoning_tokens",
    ),
}
_TAG = r"task(?:_?name)?:\s*([^\",\]\}]+)"
"""A tag that names the task: LiteLLM's own documentation tags calls with `taskName:...`."""


def _matches(head: Head) -> bool:
    return {"prompt_tokens", "completion_tokens", "spend"} <= head.lower and bool(
        head.lower & {"request_id", "call_type", "starttime"}
    )


def _mapping(head: Head) -> Mapping:
    columns = dict.fromkeys(head.columns, "VARCHAR")

    def has(name: str) -> bool:
        return name in head.lower

    metadata = "TRY_CAST(metadata AS JSON)"
    nested = {
        key: "coalesce(" + ", ".join(f"{metadata}->>'{path}'" for path in paths) + ")"
        for key, paths in _PATHS.items()
        if has("metadata")
    }
    start = head.column("starttime", "start_time")
    skip = []
    if has("cache_hit"):
        skip.append(("answered from LiteLLM's cache", "lower(cache_hit) = 'true'"))
    if has("status"):
        skip.append(("failed calls", "lower(status) = 'failure'"))
    return Mapping(
        relation=table(head, columns),
        model="coalesce(nullif(model, ''), model_group)" if has("model_group") else "model",
        numbers={"input": "prompt_tokens", "output": "completion_tokens", **nested},
        names={
            "model": "model",
            "input": "prompt_tokens",
            "output": "completion_tokens",
            "cost": "spend",
            "at": start or "startTime",
            **{key: f"metadata ({paths[0][2:]})" for key, paths in _PATHS.items()},
        },
        at=quoted(start) if start else None,
        label=f"regexp_extract(request_tags, '{_TAG}', 1, 'i')" if has("request_tags") else None,
        batch="CASE WHEN call_type LIKE '%batch%' THEN 'true' END" if has("call_type") else None,
        cost="spend",
        prompt="messages" if has("messages") else None,
        skip=tuple(skip),
    )


LITELLM = Format(name="litellm", title="LiteLLM spend logs", matches=_matches, mapping=_mapping)

"""OpenTelemetry's GenAI spans, as the collector's file exporter writes them: OTLP JSON, a line a
batch of spans.

https://opentelemetry.io/docs/specs/semconv/gen-ai/: `gen_ai.usage.input_tokens` includes what a
cache served or took. Spans of agents and tools repeat the usage of the calls inside them, so only
calls of a model are counted.
"""

from __future__ import annotations

from hybridllm.planning.audit.formats.shape import Format, Mapping, epoch, table
from hybridllm.planning.audit.head import Head

_VALUE = "STRUCT(stringValue VARCHAR, intValue VARCHAR, doubleValue VARCHAR, boolValue VARCHAR)"
_SPAN = (
    "STRUCT(name VARCHAR, startTimeUnixNano VARCHAR, "
    f"attributes STRUCT(key VARCHAR, value {_VALUE})[])"
)
_LINE = f"STRUCT(scopeSpans STRUCT(spans {_SPAN}[])[])[]"
_NUMBERS = {
    "input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "cached": ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.input_tokens.cached"),
    "written": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
    ),
    "output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.output_tokens.reasoning",
    ),
}
_MACRO = (
    "CREATE OR REPLACE TEMP MACRO attribute(pairs, wanted) AS "
    "list_filter(pairs, lambda p: p.key = wanted)[1].value"
)


def _matches(head: Head) -> bool:
    return '"resourceSpans"' in head.text


def _get(*keys: str) -> str:
    """The first of these attributes that the span has, as text."""
    parts = []
    for key in keys:
        value = f"attribute(attributes, '{key}')"
        parts += [f"{value}.stringValue", f"{value}.intValue", f"{value}.doubleValue"]
    return f"coalesce({', '.join(parts)})"


def _mapping(head: Head) -> Mapping:
    lines = table(head, {"resourceSpans": _LINE})
    scopes = f"(SELECT unnest(resourceSpans) AS x FROM {lines})"
    spans = f"(SELECT unnest(x.scopeSpans) AS y FROM {scopes})"
    relation = f"(SELECT unnest(z) FROM (SELECT unnest(y.spans) AS z FROM {spans}))"
    operation = _get("gen_ai.operation.name")
    none = f"{_get(*_NUMBERS['input'])} IS NULL AND {_get(*_NUMBERS['output'])} IS NULL"
    return Mapping(
        relation=relation,
        model=_get("gen_ai.response.model", "gen_ai.request.model"),
        numbers={key: _get(*keys) for key, keys in _NUMBERS.items()},
        names={
            "model": "gen_ai.request.model",
            "at": "startTimeUnixNano",
            **{key: keys[0] for key, keys in _NUMBERS.items()},
        },
        at=epoch("startTimeUnixNano"),
        label=_get("gen_ai.prompt.name", "hybridllm.task", "task"),
        prompt=_get("gen_ai.input.messages", "gen_ai.prompt"),
        skip=(
            (
                "spans of agents and tools",
                f"{operation} IN ('invoke_agent', 'create_agent', 'execute_tool', "
                "'invoke_workflow')",
            ),
            ("spans without usage", none),
        ),
        macros=(_MACRO,),
    )


OTEL = Format(name="otel", title="OpenTelemetry GenAI spans", matches=_matches, mapping=_mapping)

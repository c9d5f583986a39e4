"""Exports as the tools write them, a few rows each, made up: by name, their text and what is in it.

Each is of the documented shape (see the format's module), with the awkward parts that real ones
have: empty buckets, nulls, spans around calls, a window said in words.
"""

from __future__ import annotations

import json
from typing import Any

OPENAI_PAGE = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1788220800,  # 2026-09-01
            "end_time": 1788307200,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 1000,
                    "output_tokens": 500,
                    "input_cached_tokens": 800,
                    "num_model_requests": 5,
                    "project_id": "proj_a",
                    "user_id": None,
                    "api_key_id": None,
                    "model": "gpt-4o-2024-08-06",
                    "batch": False,
                },
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 2000,
                    "output_tokens": 100,
                    "num_model_requests": 10,
                    "model": "gpt-4o-mini-2024-07-18",
                    "batch": True,
                },
            ],
        },
        {"object": "bucket", "start_time": 1788307200, "end_time": 1788393600, "results": []},
    ],
    "has_more": False,
    "next_page": None,
}

OPENAI_CSV = (
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,"
    "api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens\n"
    "1788220800,1788307200,2026-09-01T00:00:00+00:00,2026-09-02T00:00:00+00:00,proj_a,5,,,"
    "gpt-4o-2024-08-06,False,default,1000,500,800\n"
    "1788220800,1788307200,2026-09-01T00:00:00+00:00,2026-09-02T00:00:00+00:00,proj_a,10,,,"
    "gpt-4o-mini-2024-07-18,True,default,2000,100,0\n"
    "1788307200,1788393600,2026-09-02T00:00:00+00:00,2026-09-03T00:00:00+00:00,,,,,,,,,,\n"
)

OPENAI_COSTS = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1788220800,
            "end_time": 1788307200,
            "results": [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": 0.06, "currency": "usd"},
                    "line_item": None,
                    "project_id": None,
                },
                {
                    "object": "organization.costs.result",
                    "amount": {"value": 1.44, "currency": "usd"},
                    "line_item": "gpt-4o, input",
                    "project_id": None,
                },
            ],
        }
    ],
    "has_more": False,
}

OPENAI_COSTS_CSV = (
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,"
    "project_id,organization_id,organization_name\n"
    "1788220800,1788307200,2026-09-01T00:00:00+00:00,2026-09-02T00:00:00+00:00,"
    "1.5000000000000000,usd,,,org-x,Ours\n"
    "1788307200,1788393600,2026-09-02T00:00:00+00:00,2026-09-03T00:00:00+00:00,,,,,,\n"
)

ANTHROPIC_PAGE = {
    "data": [
        {
            "starting_at": "2026-09-01T00:00:00Z",
            "ending_at": "2026-09-02T00:00:00Z",
            "results": [
                {
                    "uncached_input_tokens": 1500,
                    "cache_creation": {
                        "ephemeral_1h_input_tokens": 1000,
                        "ephemeral_5m_input_tokens": 500,
                    },
                    "cache_read_input_tokens": 200,
                    "output_tokens": 500,
                    "server_tool_use": {"web_search_requests": 10},
                    "api_key_id": None,
                    "workspace_id": None,
                    "model": "claude-sonnet-4-6",
                    "service_tier": "standard",
                    "context_window": "0-200k",
                },
                {
                    "uncached_input_tokens": 100,
                    "cache_creation": {
                        "ephemeral_1h_input_tokens": 0,
                        "ephemeral_5m_input_tokens": 0,
                    },
                    "cache_read_input_tokens": 0,
                    "output_tokens": 10,
                    "model": "claude-sonnet-4-6",
                    "service_tier": "batch",
                    "context_window": "0-200k",
                },
            ],
        }
    ],
    "has_more": False,
    "next_page": None,
}

ANTHROPIC_CSV = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,"
    "usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
    "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,"
    "web_search_count,inference_geo,speed\n"
    "2026-09-01,claude-sonnet-4-6,key,Default,standard,≤ 200k,1500,500,1000,200,500,10,global,\n"
    "2026-09-01,claude-sonnet-4-6,key,Default,batch,≤ 200k,100,0,0,0,10,0,global,\n"
)

ANTHROPIC_COSTS = {
    "data": [
        {
            "starting_at": "2026-09-01T00:00:00Z",
            "ending_at": "2026-09-02T00:00:00Z",
            "results": [
                {
                    "amount": "123.45",  # cents
                    "currency": "USD",
                    "cost_type": "tokens",
                    "model": "claude-sonnet-4-6",
                    "token_type": "uncached_input_tokens",
                },
                {"amount": "0.55", "currency": "USD", "cost_type": "web_search"},
            ],
        }
    ],
    "has_more": False,
}

ANTHROPIC_COSTS_CSV = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,"
    "list_price_usd,cost_type,inference_geo,speed\n"
    "2026-09-01,Claude Sonnet 4.6,Default,k,message,≤ 200k,input_no_cache,1.20,1.20,token,,\n"
    "2026-09-01,Claude Sonnet 4.6,Default,k,message,≤ 200k,output,0.04,0.04,token,,\n"
)

LITELLM_ROWS: list[dict[str, Any]] = [
    {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "api_key": "88dc28d0",
        "spend": 0.0035,
        "total_tokens": 1500,
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "startTime": "2026-09-01T10:00:00Z",
        "endTime": "2026-09-01T10:00:03Z",
        "model": "gpt-4o",
        "model_group": "gpt-4o",
        "custom_llm_provider": "openai",
        "metadata": {
            "status": "success",
            "additional_usage_values": {
                "prompt_tokens_details": {"cached_tokens": 800},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
        },
        "cache_hit": "False",
        "request_tags": ["User-Agent: openai", "taskName:code_review"],
        "status": "success",
    },
    {
        "request_id": "chatcmpl-2",
        "call_type": "acompletion",
        "spend": 0.0,
        "total_tokens": 1500,
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "startTime": "2026-09-01T11:00:00Z",
        "model": "gpt-4o",
        "model_group": "gpt-4o",
        "metadata": {},
        "cache_hit": "True",
        "request_tags": [],
        "status": "success",
    },
    {
        "request_id": "chatcmpl-3",
        "call_type": "acompletion",
        "spend": 0.0,
        "total_tokens": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "startTime": "2026-09-01T12:00:00Z",
        "model": "gpt-4o",
        "model_group": "gpt-4o",
        "metadata": {"status": "failure"},
        "cache_hit": "",
        "request_tags": [],
        "status": "failure",
    },
]

LANGFUSE_ROWS: list[dict[str, Any]] = [
    {
        "id": "o1",
        "traceId": "t1",
        "type": "GENERATION",
        "name": "classify-ticket",
        "startTime": "2026-09-01T10:00:00.000Z",
        "model": "gpt-4o",
        "input": [{"role": "user", "content": "Classify this ticket: spam or not."}],
        "output": "spam",
        "usageDetails": {
            "input": 200,
            "input_cached_tokens": 800,
            "output": 480,
            "output_reasoning_tokens": 20,
            "total": 1500,
        },
        "costDetails": {"total": 0.0035},
        "promptName": None,
    },
    {
        "id": "o2",
        "traceId": "t1",
        "type": "SPAN",
        "name": "retrieve",
        "startTime": "2026-09-01T10:00:00.000Z",
        "model": None,
        "input": None,
        "output": None,
        "usageDetails": {},
        "costDetails": {},
        "promptName": None,
    },
]

LANGFUSE_BLOB = (
    "id,trace_id,type,name,start_time,provided_model_name,usage_details,cost_details,total_cost\n"
    'o1,t1,GENERATION,ChatOpenAI,2026-09-01 10:00:00.963000,gpt-4o,"{""input"":200,'
    '""input_cached_tokens"":800,""output"":500}","{""total"":0.0035}",0.0035\n'
)


def _attribute(key: str, value: str | int) -> dict[str, Any]:
    kind = "stringValue" if isinstance(value, str) else "intValue"
    return {"key": key, "value": {kind: str(value)}}


def _span(name: str, **attributes: str | int) -> dict[str, Any]:
    return {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": name,
        "kind": 3,
        "startTimeUnixNano": "1788256800000000000",  # 2026-09-01T10:00:00Z
        "endTimeUnixNano": "1788256803000000000",
        "attributes": [
            _attribute("gen_ai." + key.replace("__", "."), value)
            for key, value in attributes.items()
        ],
        "status": {},
    }


OTEL_LINE = {
    "resourceSpans": [
        {
            "resource": {"attributes": [_attribute("service.name", "shop")]},
            "scopeSpans": [
                {
                    "scope": {"name": "opentelemetry.instrumentation.openai"},
                    "spans": [
                        _span(
                            "chat gpt-4o",
                            operation__name="chat",
                            request__model="gpt-4o",
                            usage__input_tokens=1000,
                            usage__output_tokens=500,
                            usage__cache_read__input_tokens=800,
                        ),
                        _span(
                            "invoke_agent shopper",
                            operation__name="invoke_agent",
                            request__model="gpt-4o",
                            usage__input_tokens=1000,
                            usage__output_tokens=500,
                        ),
                        _span("GET /items"),
                    ],
                }
            ],
        }
    ]
}

LEDGER_CSV = (
    "request_id,attempt,at,key,task,task_source,model,dialect_in,outcome,input_tokens,"
    "cache_read_tokens,cache_write_tokens,cache_write_long_tokens,output_tokens,reasoning_tokens,"
    "cost,batch\n"
    "r1,1,1788256800000000,team,code_review,header,openai/gpt-4o,openai,ok,200,800,0,0,500,0,"
    "6500000000,0\n"
    "r2,1,1788256800000000,team,code_review,header,openai/gpt-4o,openai,error,0,0,0,0,0,0,0,0\n"
)

GENERIC_CSV = (
    "timestamp,task,model,input_tokens,cached_tokens,output_tokens,batch,cost_usd\n"
    "2026-09-01T10:00:00Z,code_review,gpt-4o,1000,800,500,false,0.0065\n"
)


def lines(rows: list[dict[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_csv(rows: list[dict[str, Any]]) -> str:
    """A CSV whose nested values are JSON, as databases export them."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {key: json.dumps(v) if isinstance(v, dict | list) else v for key, v in row.items()}
        )
    return out.getvalue()

"""The gateway's configuration for the bench: everything on, eight candidates a task."""

from __future__ import annotations

from benchmarks.gateway.scenarios import PACES

SIZES = ("nano", "mini", "small", "medium", "large", "max")
"""Candidates that qualify, the cheapest first."""
GATEWAY_KEY = "hl-bench-key"
UPSTREAM_KEY = "sk-bench-upstream"
KEY_ENV = "BENCH_UPSTREAM_KEY"
MAX_CONNECTIONS = 4000
"""The default of 1,000 would make 2,000 streams wait for each other."""

_PROVIDER = """
[providers.{provider}]
dialect = "{dialect}"
base_url = "http://127.0.0.1:{port}{prefix}"
keys = [{{ env = "{key_env}" }}]
max_connections = {connections}
"""

_MODEL = """
[models."{id}"]
context_window = {context}
max_output_tokens = 16384
price = {{ input = {input}, output = {output} }}
"""

_TASK = """
[tasks.{name}]
tier = "simple"
description = "The bench's {name}."
bar = 0.90
candidates = [{candidates}]
output_tokens = 64
"""


def gateway_config(upstream_port: int) -> str:
    """hybridllm.toml: two providers (the upstream, in each of its dialects), and a task a pace and
    dialect. Of a task's eight candidates one is cheap but not good enough, one cheap but too small
    for the request; of the other six the cheapest is to be chosen."""
    parts = []
    qualities = []
    for provider, dialect, prefix in (("bench", "openai", "/v1"), ("benchant", "anthropic", "")):
        parts.append(
            _PROVIDER.format(
                provider=provider,
                dialect=dialect,
                port=upstream_port,
                prefix=prefix,
                key_env=KEY_ENV,
                connections=MAX_CONNECTIONS,
            )
        )
        for pace in PACES:
            task = pace if dialect == "openai" else f"{pace}_{dialect}"
            ids = []
            for place, size in enumerate(("poor", "narrow", *SIZES)):
                model = f"{provider}/{pace}-{size}"
                price = 0.05 + place * 0.1
                parts.append(
                    _MODEL.format(
                        id=model,
                        context=160 if size == "narrow" else 128_000,
                        input=f"{price:.2f}",
                        output=f"{price * 4:.2f}",
                    )
                )
                value = 0.60 if size == "poor" else 0.92
                qualities.append(f'{{ model = "{model}", task = "{task}", value = {value} }}')
                ids.append(f'"{model}"')
            # The dearest first, so that the order of candidates is not the order of their cost.
            parts.append(_TASK.format(name=task, candidates=", ".join(reversed(ids))))
    listed = ",\n    ".join(qualities)
    return f"quality = [\n    {listed},\n]\n" + "".join(parts)


def gateway_env() -> dict[str, str]:
    """The keys that the configuration asks for."""
    return {"HYBRIDLLM_KEY": GATEWAY_KEY, KEY_ENV: UPSTREAM_KEY}

"""What a plan costs on the way of a request: microseconds by number of candidates.

python benchmarks/bench_routing.py [--plans 20000] [--json]
"""

from __future__ import annotations

import argparse
import json
import time

from msgspec.structs import replace

from hybridllm.catalog.structs import Quality
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.routing import Need, Router, World

SIZES = (3, 6, 20)
TASK = "classification"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--plans", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [measure(size, args.plans) for size in SIZES]
    if args.json:
        print(json.dumps(rows))
        return
    print(f"{'candidates':>10} {'p50 µs':>8} {'p99 µs':>8}")
    for row in rows:
        print(f"{row['candidates']:10} {row['p50_us']:8.1f} {row['p99_us']:8.1f}")


def measure(candidates: int, plans: int) -> dict[str, float]:
    """Plans of a request with tools, an output limit and a warm conversation: every limit but
    those of media is judged, and all candidates qualify, which is the dearest case."""
    config = wide(candidates)
    router = Router(config)
    providers = frozenset(config.catalog.providers)
    times = []
    for _ in range(plans):
        start = time.perf_counter_ns()
        need = Need(task=config.tasks[TASK], text_bytes=8_000, tools=True, max_output_tokens=500)
        world = World(
            providers=providers, day="2026-04-20", warm_model="openai/m0", warm_tokens=1_500
        )
        router.plan(need, world)
        times.append(time.perf_counter_ns() - start)
    times.sort()
    return {
        "candidates": candidates,
        "p50_us": times[plans // 2] / 1000,
        "p99_us": times[plans * 99 // 100] / 1000,
    }


def wide(candidates: int) -> Config:
    """The guide's configuration with one task of so many candidates, of rising price."""
    config = load_config(preset="guide", env={})
    sources = list(config.catalog.models.values())
    models = [
        replace(sources[n % len(sources)], name=f"m{n}", max_output_tokens=64_000)
        for n in range(candidates)
    ]
    task = replace(config.tasks[TASK], candidates=tuple(model.id for model in models), fallbacks=())
    return replace(
        config,
        catalog=replace(
            config.catalog, models=config.catalog.models | {model.id: model for model in models}
        ),
        tasks=config.tasks | {TASK: task},
        quality=tuple(
            Quality(model=model.id, task=TASK, value=0.95, lower=0.95) for model in models
        ),
    )


if __name__ == "__main__":
    main()

"""A month in which a model silently becomes worse in its second week; months in which none does.

    python benchmarks/bench_monitoring.py [--months 1000] [--daily 50] [--drop 0.08] [--json]

Every answer that is graded is a draw of its own, good with the model's share, and goes through the
product's own watch (`hybridllm.quality.decline`) in the order of time. A month has 30 days of
`daily` graded answers; the worse ones begin with the eighth day, and go on until they are noticed.
What grading costs is priced by the catalogue from the guide's workload: a judge reads question,
answer and rubric, and answers in a few words.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from typing import Any

from hybridllm.config_file import load_config
from hybridllm.money import PICODOLLARS
from hybridllm.planning.workload import load_workload
from hybridllm.pricing import plain_cost, price_at, rates_for
from hybridllm.quality.decline import BASELINE, Live, Watch

GOOD = 0.95
DAYS, WORSE_FROM = 30, 7
MOST = 20_000
"""Scores after which a decline counts as never noticed."""
JUDGE = "anthropic/claude-sonnet-4-6"
RUBRIC_TOKENS, VERDICT_TOKENS = 300, 60


def clean_month(seeded: random.Random, daily: int) -> bool:
    """Whether a month of a model that stays as it is has an alarm."""
    watching = Watch()
    for n in range(DAYS * daily):
        watching.add(Live(n, float(seeded.random() < GOOD), "production"))
        if watching.degraded:
            return True
    return False


def delay(seeded: random.Random, daily: int, drop: float) -> int | None:
    """How many worse answers were graded until the watch noticed; None: an alarm came before."""
    watching = Watch()
    for n in range(WORSE_FROM * daily):
        watching.add(Live(n, float(seeded.random() < GOOD), "production"))
        if watching.degraded:
            return None
    for n in range(1, MOST + 1):
        watching.add(Live(n, float(seeded.random() < GOOD - drop), "production"))
        if watching.degraded:
            return n
    return MOST


def costs(daily: int) -> dict[str, str]:
    """Dollars a month of grading `daily` answers a day of each task of the guide's month."""
    catalog = load_config(preset="guide", env={}).catalog
    price = price_at(catalog.models[JUDGE], catalog.as_of)
    assert price is not None
    found: dict[str, int] = {}
    for line in load_workload("guide").tasks:
        read = line.input_tokens + line.output_tokens + RUBRIC_TOKENS
        each = plain_cost(rates_for(price, read), read, 0, VERDICT_TOKENS)
        graded = min(line.calls, DAYS * daily)
        found[line.task] = found.get(line.task, 0) + graded * each
    found["all"] = sum(found.values())
    return {task: f"{money / PICODOLLARS:.2f}" for task, money in found.items()}


def run(months: int, daily: int = 50, drop: float = 0.08, seed: int = 1) -> dict[str, Any]:
    """All figures. Raises AssertionError where the baseline is not whole when the drop comes."""
    assert WORSE_FROM * daily >= BASELINE, "the model became worse before it was known"
    seeded = random.Random(seed)
    found = [delay(seeded, daily, drop) for _ in range(months)]
    delays = sorted(each for each in found if each is not None)
    rest = (DAYS - WORSE_FROM) * daily
    return {
        "months": months,
        "daily": daily,
        "drop": drop,
        "median": delays[len(delays) // 2],
        "p90": delays[len(delays) * 9 // 10],
        "within_the_month": sum(each <= rest for each in delays) / len(delays),
        "alarms_in_clean_months": sum(clean_month(seeded, daily) for _ in range(months)),
        "judge_usd": costs(daily),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--months", type=int, default=1000)
    parser.add_argument("--daily", type=int, default=50)
    parser.add_argument("--drop", type=float, default=0.08)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = run(asked.months, asked.daily, asked.drop)
    if asked.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return
    daily = found["daily"]
    for name in ("median", "p90"):
        print(f"noticed after, {name:6}  {found[name]:6} graded answers, "
              f"{found[name] / daily:.1f} days")  # fmt: skip
    print(f"noticed within the month {found['within_the_month']:.1%}")
    print(f"clean months with alarm  {found['alarms_in_clean_months']} of {found['months']}")
    print(f"judge, dollars a month   {found['judge_usd']}")


if __name__ == "__main__":
    main()

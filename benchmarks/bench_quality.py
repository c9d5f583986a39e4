"""How long the quality table takes, from a million scores of 50 tasks and 60 models.

    python benchmarks/bench_quality.py [--scores 1000000] [--store URL] [--json]

Scores are added as evaluations and monitoring add them, over ten weeks; then the table is made as a
gateway makes it when it starts (nothing cached), and again after one more score. Every total is
checked against what was added.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection

from hybridllm.config import DriftConfig
from hybridllm.engine import measured as store_measured
from hybridllm.engine.drifting import Declines
from hybridllm.quality.measured import Cell
from hybridllm.store import open_store, writing
from hybridllm.store.scores import SOURCES, Score, add_scores

TASKS, MODELS, WEEKS = 50, 60, 10
MONDAY = 1_780_272_000
PORTION = 10_000


def measured(connection: Connection) -> list[Cell]:
    """What a gateway makes of the store at its start."""
    return store_measured.measured(connection, DriftConfig(), by=Declines()).cells


def scores(count: int) -> Iterator[Score]:
    """Scores of every cell in turn, a third of them graded between 0 and 1."""
    seeded = random.Random(1)
    for n in range(count):
        cell = n % (TASKS * MODELS)
        model = cell % MODELS
        value = float(seeded.random() < 0.8 + model / 300)
        if cell % 3 == 0:
            value = seeded.randrange(700, 1001) / 1000
        source = SOURCES[0] if n < count // 2 else SOURCES[1]
        yield Score(
            task=f"task-{cell // MODELS}",
            model=f"provider/model-{model}",
            run=source,
            sample=str(n),
            score=value,
            at=(MONDAY + n * WEEKS // count * 7 * 86_400) * 10**6,
            grader="exact",
            source=source,
        )


def run(count: int, url: str) -> dict[str, float]:
    """Figures by name: seconds, and scores a second. Raises AssertionError where a sum is wrong."""
    engine = open_store(url)
    made, total, began = scores(count), 0.0, time.perf_counter()
    while portion := list(islice(made, PORTION)):
        with writing(engine) as connection:
            assert add_scores(connection, portion) == len(portion)
        total += sum(row.score for row in portion)
    filled = time.perf_counter() - began
    figures = {"scores": float(count), "added_per_second": count / filled}
    for name in ("cold", "again"):
        with engine.connect() as connection:
            began, worked = time.perf_counter(), time.process_time()
            cells = measured(connection)
            figures[f"{name}_seconds"] = time.perf_counter() - began
            figures[f"{name}_cpu_seconds"] = time.process_time() - worked
        assert len(cells) == min(count, TASKS * MODELS)
        assert sum(cell.n for cell in cells) == count
        assert abs(sum(cell.value * cell.n for cell in cells) - total) < 1e-6 * count
        one = next(scores(1))._replace(sample=f"one more {name}")
        with writing(engine) as connection:
            assert add_scores(connection, [one]) == 1
        count, total = count + 1, total + one.score
    engine.dispose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scores", type=int, default=1_000_000)
    parser.add_argument("--store", help="an empty database [a SQLite file of its own]")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        figures = run(args.scores, args.store or f"sqlite:///{directory}/ledger.db")
    if args.json:
        json.dump(figures, sys.stdout)
        return
    for name, value in figures.items():
        print(f"{name:<20} {value:,.3f}")


if __name__ == "__main__":
    main()

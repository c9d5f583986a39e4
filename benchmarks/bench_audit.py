"""The audit beside a bare DuckDB group-by over the same file, ten million rows, in one run.

    python -m benchmarks.bench_audit            # Parquet and CSV
    python -m benchmarks.bench_audit --rows 1000000 --kinds parquet

The bare query sums the same columns by model, task and day, which is what one would write by hand
to multiply by prices; a coarser one, by model alone, is measured for comparison. Each measurement
is a process of its own, in turn, so that none finds another's memory warm; the file itself is in
the page cache for all. Time is from the first line of work after imports to the last figure: the
audit's includes pricing, routing, levers and what-ifs. The least of the rounds counts, since other
work on the machine only adds.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEAST_RATIO = 0.5
MODELS = (
    "gpt-4o",
    "gpt-4o-mini",
    "claude-sonnet-4-6",
    "claude-opus-4-7",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "o3",
    "gpt-6-luna",
)
TASKS = ("classification", "extraction", "analysis", "general", "code_generation", "agentic")


def generate(path: Path, rows: int) -> None:
    """A quarter year of calls of eight models and six tasks, a quarter of them partly cached."""
    import duckdb

    models, tasks = (str(list(names)) for names in (MODELS, TASKS))
    duckdb.execute(
        f"""
        COPY (
            SELECT {models}[1 + (hash(i) % 8)::INT] AS model,
                (50 + hash(i * 7 + 1) % 20000)::BIGINT AS input_tokens,
                (hash(i * 3 + 2) % 2000)::BIGINT AS output_tokens,
                CASE WHEN hash(i + 9) % 4 = 0 THEN (hash(i * 7 + 1) % 5000)::BIGINT ELSE 0 END
                    AS cached_tokens,
                TIMESTAMP '2026-08-01' + INTERVAL (hash(i * 11) % (90 * 86400)) SECOND AS timestamp,
                {tasks}[1 + (hash(i * 13) % 6)::INT] AS task,
                hash(i * 17) % 10 = 0 AS batch
            FROM range({rows}) t(i)
        ) TO '{path}'
        """
    )


def bare(path: str, keys: str) -> int:
    """The group-by by hand. How many calls it counted."""
    import duckdb

    read = "read_parquet" if path.endswith(".parquet") else "read_csv"
    found = duckdb.sql(
        f"SELECT {keys}, count(*), sum(input_tokens), sum(cached_tokens), sum(output_tokens) "
        f"FROM {read}('{path}') GROUP BY ALL"
    ).fetchall()
    return sum(line[-4] for line in found)


def audited(path: str) -> int:
    """The whole audit. How many calls it counted."""
    from hybridllm.config_file import load_config
    from hybridllm.planning.audit import audit

    return audit([path], load_config(), "2026-11-25").calls


WORK = {
    "group-by model, task, day": lambda path: bare(path, "model, task, timestamp::DATE"),
    "group-by model": lambda path: bare(path, "model"),
    "audit": audited,
}


def measure(name: str, path: str) -> None:
    """One measurement, in this process: prints it as JSON."""
    import duckdb  # noqa: F401

    from hybridllm.planning import audit  # noqa: F401

    started = time.perf_counter()
    calls = WORK[name](path)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"calls": calls, "seconds": seconds, "peak_mb": peak / 1024}))


def run(name: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_audit", "--measure", name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def compare(path: Path, rows: int, rounds: int) -> float:
    """Prints one file's table. The ratio of the audit's rows/s to the group-by's."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WORK}
    for _ in range(rounds):
        for name in WORK:
            found[name].append(run(name, path))
    print(f"\n{path.suffix[1:]}, {path.stat().st_size / 2**20:,.0f} MB, least of {rounds}")
    print(f"{'':28}{'seconds':>9}{'rows/s':>14}{'peak MB':>9}")
    best = {}
    for name, runs in found.items():
        assert all(one["calls"] == rows for one in runs), f"{name} lost rows"
        best[name] = min(one["seconds"] for one in runs)
        peak = max(one["peak_mb"] for one in runs)
        print(f"{name:28}{best[name]:9.2f}{rows / best[name]:14,.0f}{peak:9,.0f}")
    ratio = best["group-by model, task, day"] / best["audit"]
    coarse = best["group-by model"] / best["audit"]
    print(f"audit to group-by by model, task and day: {ratio:.2f}; by model alone: {coarse:.2f}")
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=["parquet", "csv"])
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "PATH"))
    asked = parser.parse_args()
    if asked.measure:
        measure(*asked.measure)
        return
    with tempfile.TemporaryDirectory() as directory:
        ratios = []
        for kind in asked.kinds:
            path = Path(directory) / f"usage.{kind}"
            generate(path, asked.rows)
            ratios.append(compare(path, asked.rows, asked.rounds))
    if min(ratios) < LEAST_RATIO:
        raise SystemExit(f"{min(ratios):.2f} is below {LEAST_RATIO}")


if __name__ == "__main__":
    main()

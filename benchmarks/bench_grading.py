"""How many recorded answers are read and graded in a second, by each checkable grader.

    python benchmarks/bench_grading.py [--answers 10000] [--json]

The answers are read from a file and graded on one core, as `hybridllm eval grade` does. Graders
that ask a model or run a program are not here: what they take is not ours.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hybridllm.evals.recorded import grade_answers, read_answers, results_of
from hybridllm.evals.sets import load_set

PROSE = "The answer follows from what was said above, and so it is: "
FACTS = {"name": "Ada Lovelace", "born": 1815, "fields": ["mathematics", "computing"]}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer"}},
    "required": ["name", "born"],
}
SAYS = "The analytical engine weaves algebraic patterns just as the loom weaves flowers and leaves."
CASES: dict[str, tuple[Any, Any, str]] = {
    "exact": ("exact", "forty-two", "forty-two"),
    "normalised": ({"kind": "normalised", "contains": True}, "forty two", PROSE + "Forty-two."),
    "f1": ("f1", SAYS, PROSE + SAYS),
    "numeric": ({"kind": "numeric", "tolerance": 0.01}, 42, PROSE + "it is 41.995"),
    "regex": ("regex", r"\b4\d\b", PROSE + "it is 42"),
    "label": ({"kind": "label", "labels": ["spam", "ham", "unsure"]}, "spam", PROSE + "spam"),
    "extraction": ("extraction", FACTS, "```json\n" + json.dumps(FACTS) + "\n```"),
    "json_schema": ({"kind": "json_schema", "schema": SCHEMA}, None, json.dumps(FACTS)),
    "rouge": ("rouge", SAYS, SAYS),
    "bleu": ("bleu", SAYS, SAYS),
}


def measure(kind: str, count: int, directory: Path) -> float:
    """Answers a second."""
    grader, expected, answer = CASES[kind]
    samples, answers = directory / f"{kind}.jsonl", directory / f"{kind}-answers.jsonl"
    samples.write_text(json.dumps({"prompt": "?", "grader": grader, "expected": expected}))
    line = json.dumps({"sample": "line-1", "model": "m", "answer": answer})
    answers.write_text("\n".join(line.replace('"m"', f'"m{n % 60}"') for n in range(count)))
    loaded = load_set(samples)
    grade_answers(loaded, read_answers(answers, loaded))  # imports, and what is cached
    start = time.perf_counter()
    grades = grade_answers(loaded, read_answers(answers, loaded))
    results = results_of(loaded, grades, 0.9)
    seconds = time.perf_counter() - start
    assert len(results) == min(60, count)
    return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--answers", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = {kind: measure(kind, args.answers, Path(directory)) for kind in CASES}
    if args.json:
        json.dump({"answers": args.answers, "a_second": found}, sys.stdout, indent=2)
        return
    for kind, rate in found.items():
        print(f"{kind:<12} {rate:>10,.0f} answers a second")


if __name__ == "__main__":
    main()

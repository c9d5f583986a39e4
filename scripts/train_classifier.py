"""Trains the task classifier that comes with the package, and measures it.

    python scripts/train_classifier.py classifier_prompts.jsonl.gz --out WEIGHTS

The file holds lines {"text", "task", "family", "source", "license"}. Weights to ship are trained on
the self-made prompts (`scripts/prompts/`) and on the rows whose licence permits it. Before that the
recipe is measured with whole families held out (every family once, in five groups of equal size):
the rows learned from, and the sentences that self-made prompts borrow, come from other families.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from measure_classifier import Guess, beside_rules, calibrated, report
from msgspec import structs
from prompts.made import FAMILIES, make, request

from hybridllm.tasks.features import Marks, marks
from hybridllm.tasks.training import Example, Settings, train
from hybridllm.tasks.weights import Scorer, Weights

FOLDS = 5
MADE = 600
"""Self-made prompts a label."""
RESTRICTED = ("CC-BY-NC", "CC-BY-SA", "see repo")
"""Licences, by how their names begin, whose rows do not go into weights that are shipped."""
FLOOR = 0.5
TASKS = {
    "general_chat": "general",
    "long_doc_analysis": "analysis",
    "agentic_tool_use": "agentic",
    "code_review_refactor": "refactoring",
}
"""The collection's labels as ours, where they differ. Its mathematics are told apart by source."""

Row = dict[str, Any]


def label(row: Row) -> str:
    if row["task"] == "math_reasoning":
        competition = row["family"] == "llmrouter_math"
        return "specialized_reasoning" if competition else "complex_reasoning"
    return TASKS.get(row["task"], row["task"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--out", type=Path, help="where the weights are written")
    parser.add_argument("--all", action="store_true", help="measure with rows of any licence")
    parser.add_argument("--without-cues", action="store_true", help="leave the rules' cues out")
    parser.add_argument("--made", type=int, default=MADE, help="self-made prompts a label")
    args = parser.parse_args()
    with gzip.open(args.prompts, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    seen = [_seen(marks(request(row["text"])), args.without_cues) for row in rows]
    guesses = list(measure(rows, seen, args))
    print(report(guesses), flush=True)
    print(beside_rules(guesses, {row["text"]: row["task"] for row in rows}), flush=True)
    if args.out:
        weights = ship(rows, seen, calibrated([g for g in guesses if g.permitted]), args)
        args.out.write_bytes(weights.encode())
        print(f"\n{args.out}: {args.out.stat().st_size:,} bytes, T {weights.temperature}")


def permitted(row: Row) -> bool:
    return not row["license"].startswith(RESTRICTED)


def ship(
    rows: list[Row], seen: list[Marks], temperature: float, args: argparse.Namespace
) -> Weights:
    """Weights from all rows that may be used, calibrated as held-out families ask for."""
    kept = [place for place, row in enumerate(rows) if permitted(row)]
    examples = [_example(rows[place], seen[place]) for place in kept]
    examples += _made([rows[place] for place in kept], args, seed=99)
    note = "self-made prompts and " + ", ".join(sorted({rows[p]["family"] for p in kept}))
    weights = train(examples, Settings(), note=note)
    return structs.replace(weights, temperature=temperature, floor=FLOOR)


def measure(rows: list[Row], seen: list[Marks], args: argparse.Namespace) -> Iterator[Guess]:
    """Guesses for every row, by weights that know nothing of its family."""
    fold_of = _folds(rows)
    for fold in range(FOLDS):
        known = [p for p, row in enumerate(rows) if fold_of[row["family"]] != fold]
        if not args.all:
            known = [p for p in known if permitted(rows[p])]
        examples = [_example(rows[place], seen[place]) for place in known]
        examples += _made([rows[place] for place in known], args, seed=fold)
        scorer = Scorer(train(examples, Settings()))
        for place, row in enumerate(rows):
            if fold_of[row["family"]] == fold:
                scores = dict(zip(scorer.labels, scorer.scores(seen[place]), strict=True))
                yield Guess(label(row), row["family"], scores, permitted(row), row["text"])


def _folds(rows: Iterable[Row]) -> dict[str, int]:
    """Families in groups of about equal size, the largest first into the emptiest."""
    sizes = Counter(row["family"] for row in rows)
    load, fold_of = [0] * FOLDS, {}
    for family in sorted(sizes, key=lambda name: (-sizes[name], name)):
        fold_of[family] = load.index(min(load))
        load[fold_of[family]] += sizes[family]
    return fold_of


def _seen(found: Marks, without_cues: bool) -> Marks:
    if not without_cues:
        return found
    shape = frozenset(mark for mark in found.shape if not mark.startswith("#cue"))
    return Marks(found.words, found.edges, shape)


def _example(row: Row, found: Marks) -> Example:
    return Example(found, label(row), row["source"])


def _made(rows: list[Row], args: argparse.Namespace, seed: int) -> list[Example]:
    borrowed = _sentences(rows)
    return [
        Example(_seen(marks(facts), args.without_cues), name, family)
        for name in FAMILIES
        for family, facts in make(name, args.made, seed, borrowed)
    ]


def _sentences(rows: Iterable[Row]) -> list[str]:
    """Sentences out of the middle of longer texts, six a text at most: matter, not instructions."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        parts = re.split(r"(?<=[.!?])\s+(?=[A-Z])", row["text"][100:3_000])[1:-1]
        kept = [part.strip() for part in parts if 30 < len(part) < 300 and "{" not in part]
        found[row["family"]] += kept[:6]
    return [sentence for family in sorted(found) for sentence in found[family]]


if __name__ == "__main__":
    main()

"""How often a classifier is right, and what it costs, over labelled prompts.

    python benchmarks/bench_classifier.py PROMPTS.jsonl.gz [--rules] [--split test] [--json]

Each line of the file is {"text", "task", "split", ...}, one single-turn prompt. Its labels are
finer than a router's tasks in places and coarser in others; ACCEPTED says which of our tasks count
as right for each. Rules do not learn, so nothing is held out but what the cues were read against:
`--split test` leaves that part away. Of the learned classifier only the time means anything here,
since it was trained on such prompts: `scripts/train_classifier.py` holds families out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from pathlib import Path

from hybridllm.config_file import load_config
from hybridllm.tasks import Classifier, LearnedClassifier, RuleClassifier
from hybridllm.tasks.learned import shipped
from hybridllm.wire.dialect import Facts, Turn

ACCEPTED = {
    "classification": {"classification"},
    "extraction": {"extraction"},
    "templated_generation": {"templated_generation"},
    "summarization": {"general", "analysis", "budget_analysis"},
    "question_answering": {"general"},
    "general_chat": {"general"},
    "long_doc_analysis": {"analysis", "budget_analysis"},
    "code_generation": {"code_generation", "complex_coding"},
    "code_review_refactor": {"code_review", "refactoring", "complex_coding"},
    "math_reasoning": {"complex_reasoning", "specialized_reasoning"},
    "agentic_tool_use": {"agentic"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "prompts", nargs="?", type=Path, default=Path("classifier_prompts.jsonl.gz")
    )
    parser.add_argument("--split", help="only prompts of this split")
    parser.add_argument("--rules", action="store_true", help="the rules, not what was learned")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.prompts.exists():
        print(f"{args.prompts} is not there: nothing to measure.", file=sys.stderr)
        return
    config = load_config(preset="guide", env={})
    classifier: Classifier = (
        RuleClassifier(config) if args.rules else LearnedClassifier(config, shipped())
    )
    seen: dict[str, Counter[str]] = {}
    times: list[int] = []
    with gzip.open(args.prompts, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if args.split and row["split"] != args.split:
                continue
            text = row["text"]
            facts = Facts(model="auto", turns=[Turn("user", text)], text_bytes=len(text.encode()))
            start = time.thread_time_ns()
            task, _ = classifier.classify(facts)
            times.append(time.thread_time_ns() - start)
            seen.setdefault(row["task"], Counter())[task] += 1
    report(seen, sorted(times), as_json=args.json)


def report(seen: dict[str, Counter[str]], times: list[int], *, as_json: bool) -> None:
    right = {label: sum(found[task] for task in ACCEPTED[label]) for label, found in seen.items()}
    total = sum(found.total() for found in seen.values())
    recall = {label: right[label] / found.total() for label, found in seen.items()}
    p50, p99 = times[len(times) // 2] // 1000, times[len(times) * 99 // 100] // 1000
    if as_json:
        print(
            json.dumps(
                {
                    "prompts": total,
                    "accuracy": round(sum(right.values()) / total, 4),
                    "balanced_accuracy": round(sum(recall.values()) / len(recall), 4),
                    "recall": {label: round(share, 4) for label, share in sorted(recall.items())},
                    "p50_us": p50,
                    "p99_us": p99,
                }
            )
        )
        return
    print(f"{'label':22} {'prompts':>7} {'right':>6}  taken for")
    for label in sorted(seen):
        wrong = [
            f"{task} {count}"
            for task, count in seen[label].most_common()
            if task not in ACCEPTED[label]
        ]
        print(f"{label:22} {seen[label].total():7} {recall[label]:6.1%}  {', '.join(wrong[:4])}")
    print(
        f"\naccuracy {sum(right.values()) / total:.1%}, "
        f"mean of the labels {sum(recall.values()) / len(recall):.1%}; "
        f"p50 {p50} µs, p99 {p99} µs a prompt"
    )


if __name__ == "__main__":
    main()

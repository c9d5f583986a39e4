"""`hybridllm eval curve`: what routing each request between two models is worth, as published."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec import structs

from hybridllm.cli.output import print_json
from hybridllm.errors import RequestError
from hybridllm.evals.curve import Outcome, chance, longest, oracle, worth
from hybridllm.evals.curve_cascade import GOAL, Check, cascades
from hybridllm.evals.predicted import predicted
from hybridllm.money import PICODOLLARS

_LEAST = 50
_Table = dict[str, tuple[float, int | None]]


def curve(
    data: Path,
    *,
    prompts: Path,
    weak: str,
    strong: str,
    seed: int = 1,
    catches: float = 0.8,
    alarms: float = 0.1,
    check_cost: float = 0.0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Compare routers between a weak and a strong model over outcomes that were recorded.

    Example:

        hybridllm eval curve outcomes.csv --prompts prompts.jsonl --weak small --strong large

    Routers: a random mix; the longest prompts to the strong model; ours, which predicts from the
    request where the strong model gains, each sample by weights trained on other samples; and the
    oracle, which knows. Cascades ask the weak model first, check its answer, and escalate: by an
    oracle check, which sees how good the answer is, by a check of the error rates given, and by
    that and our prediction. APGR, CPT(50%), CPT(80%) and AIQ are RouteLLM's and RouterBench's
    figures.

    Parameters
    ----------
    data
        Outcomes, CSV or CSV.gz: `sample_id`, `model`, `score` (0 to 1), `cost_usd` (may be empty).
    prompts
        The prompts, JSONL or JSONL.gz: `sample_id`, `prompt`.
    weak, strong
        The models, as `data` names them.
    seed
        Of the random mix, the simulated check and the folds.
    catches
        The share of the weak model's bad answers that a cascade's check fails.
    alarms
        The share of its good answers that the check fails.
    check_cost
        What a check costs, in weak answers: 0 for code, 2 for two further samples.
    json
        Print one JSON document.
    """
    check = _check(catches, alarms, check_cost)
    outcomes = _outcomes(data, prompts, weak, strong)
    gain = cache(lambda: _gain(outcomes, seed))
    found = {
        "random": worth(outcomes, chance(outcomes, seed)),
        "longest": worth(outcomes, longest(outcomes)),
        "ours": worth(outcomes, gain()),
        "oracle": worth(outcomes, oracle(outcomes)),
    }
    lines = cascades(outcomes, check, gain, seed)
    found |= {name: one for name, (one, _) in lines.items()}
    points = found["oracle"].points
    ends = {"samples": len(outcomes), "weak": points[0][1], "strong": points[-1][1]}
    if json:
        routers = {name: structs.asdict(one) for name, one in found.items()}
        for name, (_, held) in lines.items():
            routers[name]["held_out"] = structs.asdict(held)
        print_json({**ends, "routers": routers})
        return
    print(
        f"{len(outcomes):,} samples: always {weak} {ends['weak']:.3f}, "
        f"always {strong} {ends['strong']:.3f}\n"
    )
    print(f"{'router':24}{'APGR':>8}{'CPT 50%':>9}{'CPT 80%':>9}{'AIQ':>8}")
    for name, one in found.items():
        cells = [_share(one.cpt50), _share(one.cpt80)]
        print(f"{name:24}{_number(one.apgr):>8}{cells[0]:>9}{cells[1]:>9}{_number(one.aiq):>8}")

    print(f"\nA threshold chosen on other samples, to recover {GOAL:.0%} of the gap:")
    for name, (_, held) in lines.items():
        cost = "" if held.cost is None else f", at {held.cost:.0%} of always-strong's cost"
        print(f"{name:24}{_share(held.pgr)} with {held.share:.0%} strong calls{cost}")


def _check(catches: float, alarms: float, cost: float) -> Check:
    for name, value in (("catches", catches), ("alarms", alarms)):
        if not 0 <= value <= 1:
            raise RequestError(
                f"--{name} {value:g} is no share.",
                field=f"--{name}",
                remedy="Give one between 0 and 1.",
            )
    if not 0 <= cost <= 1000:
        raise RequestError(
            f"--check-cost {cost:g} is out of range.",
            field="--check-cost",
            remedy="Give it in weak answers, from 0 to 1,000.",
        )
    return Check(catches=catches, alarms=alarms, cost=cost)


def _gain(outcomes: list[Outcome], seed: int) -> list[float]:
    try:
        return predicted(outcomes, seed)
    except ImportError:
        raise RequestError(
            "Training needs numpy.", remedy="Run: pip install 'hybridllm[train]'"
        ) from None
    except ValueError:
        raise RequestError(
            "The strong model gains on every sample of a fold, or on none: nothing can be learned.",
            remedy="Give more samples, or another pair of models.",
        ) from None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _outcomes(data: Path, prompts: Path, weak: str, strong: str) -> list[Outcome]:
    tables = _tables(data, (weak, strong))
    for name, table in tables.items():
        if not table:
            raise RequestError(
                f"{data} has no scores of {name}.",
                field="model",
                remedy="Name a model of the file.",
            )
    texts = _prompts(prompts)
    low, high = tables[weak], tables[strong]
    found = [
        Outcome(
            prompt=texts[sample],
            weak=low[sample][0],
            strong=high[sample][0],
            weak_cost=low[sample][1],
            strong_cost=high[sample][1],
        )
        for sample in sorted(low.keys() & high.keys() & texts.keys())
    ]
    if len(found) < _LEAST:
        raise RequestError(
            f"Only {len(found)} samples have a prompt and both models' scores.",
            remedy=f"Give at least {_LEAST}.",
        )
    return found


def _tables(path: Path, models: tuple[str, str]) -> dict[str, _Table]:
    found: dict[str, _Table] = {model: {} for model in models}
    reader = csv.DictReader(io.StringIO(_text(path)))
    if missing := {"sample_id", "model", "score"} - set(reader.fieldnames or ()):
        raise RequestError(f"{path} has no column {min(missing)}.", field=min(missing))
    for number, row in enumerate(reader, 2):
        if row["model"] in found and row["score"]:
            try:
                cost = row.get("cost_usd")
                picodollars = int(Decimal(cost) * PICODOLLARS) if cost else None
                found[row["model"]][row["sample_id"]] = (float(row["score"]), picodollars)
            except (ValueError, InvalidOperation):
                raise RequestError(
                    f"{path} line {number}: score or cost_usd is no number.", field="score"
                ) from None
    return found


def _prompts(path: Path) -> dict[str, str]:
    try:
        rows: list[dict[str, Any]] = [
            msgspec.json.decode(line) for line in _text(path).split("\n") if line.strip()
        ]
        return {row["sample_id"]: str(row["prompt"]) for row in rows}
    except (msgspec.DecodeError, KeyError, TypeError):
        raise RequestError(
            f"{path} holds something other than lines with sample_id and prompt.", field="prompt"
        ) from None


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as e:
        raise RequestError(f"Cannot read {path}: {e}.", remedy="Give a file.") from None

"""Trains the weights of the learned classifier: multinomial logistic regression over marks.

Needs numpy (`pip install 'hybridllm[train]'`), which nothing at run time does. The same rows give
the same weights on the same machine. Adam on mini-batches (Kingma & Ba 2015, arXiv:1412.6980) with
decoupled decay (Loshchilov & Hutter 2019, arXiv:1711.05101); every label counts the same, and of a
label every family of prompts by the square root of its size, so that no one way of asking drowns
the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import exp, log
from typing import Any

from msgspec import Struct

from hybridllm.tasks.features import Marks
from hybridllm.tasks.weights import GAINS, GROUPS, LARGEST, Scorer, Weights


class Example(Struct, frozen=True):
    """A labelled request. `family` is a way of asking: prompts from one template share it."""

    marks: Marks
    label: str
    family: str


class Settings(Struct, frozen=True, kw_only=True):
    """How training goes. `most` marks are kept of each group, those in most families first, of
    those in at least `least` examples and two families. `drop` of the marks are hidden at random
    from each example each time, which keeps any one mark from deciding alone; and now and then
    (`hide`) a whole group is, so that each learns to decide without the others."""

    epochs: int = 9
    rate: float = 0.02
    decay: float = 0.02
    drop: float = 0.3
    hide: float = 0.25
    least: int = 4
    families: int = 2
    most: tuple[int, int, int] = (6_000, 4_000, 1_000)
    batch: int = 256
    seed: int = 1


def train(
    examples: Sequence[Example],
    settings: Settings | None = None,
    *,
    start: Weights | None = None,
    note: str = "",
) -> Weights:
    """Weights for the labels of the examples, uncalibrated (temperature 1).

    With `start` training goes on from there: its labels and marks stay known, and what the examples
    say nothing of stays as it was. Raises ValueError for fewer than two labels."""
    import numpy as np

    settings = settings or Settings()
    labels = sorted({example.label for example in examples} | set(start.labels if start else ()))
    if len(labels) < 2:
        raise ValueError("there have to be at least two labels")
    chosen = [_chosen(examples, group, settings) for group in range(len(GROUPS))]
    if start:
        chosen = [
            sorted({*marks, *start.features.get(group, ())})
            for group, marks in zip(GROUPS, chosen, strict=True)
        ]
    index = _index(chosen)
    rows = [_row(example.marks, index, np) for example in examples]
    target = np.array([labels.index(example.label) for example in examples])
    began = _began(labels, chosen, start, np)
    weight, bias = _fit(rows, target, began, _shares(examples), settings)
    unit = float(max(np.abs(weight).max(), 1e-6)) / LARGEST
    whole = np.rint(weight / unit).astype(int)
    features, at = {}, 0
    for group, marks in zip(GROUPS, chosen, strict=True):
        features[group] = {mark: whole[at + place].tolist() for place, mark in enumerate(marks)}
        at += len(marks)
    return Weights(
        labels=labels,
        bias=[float(value) for value in bias],
        unit=unit,
        temperature=1.0,
        floor=0.0,
        features=features,
        note=note,
    )


def calibrated(weights: Weights, examples: Sequence[Example]) -> float:
    """The temperature under which the examples' labels are likeliest, of 0.3 to 5; 1 without
    examples (Guo et al. 2017, arXiv:1706.04599)."""
    scorer = Scorer(weights)
    known = [example for example in examples if example.label in scorer.labels]
    if not known:
        return 1.0
    cases = [(scorer.scores(one.marks), scorer.labels.index(one.label)) for one in known]

    def loss(temperature: float) -> float:
        found = 0.0
        for scores, right in cases:
            top = max(scores)
            found += log(sum(exp((score - top) / temperature) for score in scores))
            found -= (scores[right] - top) / temperature
        return found

    return min((step / 20 for step in range(6, 101)), key=loss)


def _group(marks: Marks, group: int) -> frozenset[str]:
    return (marks.words, marks.edges, marks.shape)[group]


def _chosen(examples: Iterable[Example], group: int, settings: Settings) -> list[str]:
    counts: Counter[str] = Counter()
    families: dict[str, set[str]] = {}
    for example in examples:
        for mark in _group(example.marks, group):
            counts[mark] += 1
            seen = families.setdefault(mark, set())
            if len(seen) < 64:
                seen.add(example.family)
    kept = [
        mark
        for mark, count in counts.items()
        if count >= settings.least and len(families[mark]) >= settings.families
    ]
    kept.sort(key=lambda mark: (-len(families[mark]), -counts[mark], mark))
    return sorted(kept[: settings.most[group]])


def _index(chosen: list[list[str]]) -> list[dict[str, int]]:
    found, at = [], 0
    for marks in chosen:
        found.append({mark: at + place for place, mark in enumerate(marks)})
        at += len(marks)
    return found


def _row(marks: Marks, index: list[dict[str, int]], np: Any) -> tuple[Any, Any, Any]:
    """Columns, values and groups of an example's marks."""
    columns: list[int] = []
    values: list[float] = []
    groups: list[int] = []
    for group, known in enumerate(index):
        found = sorted(known[mark] for mark in _group(marks, group) if mark in known)
        columns += found
        groups += [group] * len(found)
        values += [GAINS[group] * len(found) ** -0.5] * len(found) if found else []
    return (
        np.array(columns, dtype=np.int32),
        np.array(values, dtype=np.float32),
        np.array(groups, dtype=np.int8),
    )


def _began(labels: list[str], chosen: list[list[str]], start: Weights | None, np: Any) -> Any:
    """Where training begins: a row a mark and one for the biases, a column a label."""
    began = np.zeros((sum(map(len, chosen)) + 1, len(labels)), dtype=np.float32)
    if start is None:
        return began
    columns = [labels.index(label) for label in start.labels]
    at = 0
    for group, marks in zip(GROUPS, chosen, strict=True):
        known = start.features.get(group, {})
        for place, mark in enumerate(marks):
            if mark in known:
                began[at + place, columns] = np.array(known[mark]) * start.unit
        at += len(marks)
    began[-1, columns] = start.bias
    return began


def _shares(examples: Sequence[Example]) -> list[float]:
    """How much each example counts; the mean is 1."""
    sizes = Counter((example.label, example.family) for example in examples)
    label_sums: Counter[str] = Counter()
    for (label, _), size in sizes.items():
        label_sums[label] += round(1000 * size**0.5)
    shares = [
        sizes[example.label, example.family] ** -0.5 / label_sums[example.label]
        for example in examples
    ]
    mean = sum(shares) / len(shares)
    return [share / mean for share in shares]


def _fit(
    rows: Sequence[tuple[Any, Any, Any]],
    target: Any,
    began: Any,
    shares: list[float],
    settings: Settings,
) -> tuple[Any, Any]:
    import numpy as np

    rng = np.random.default_rng(settings.seed)
    share = np.array(shares, dtype=np.float32)
    width, weight = len(began) - 1, began.copy()
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    steps = 0
    total = settings.epochs * (len(rows) // settings.batch + 1)
    for _ in range(settings.epochs):
        order = rng.permutation(len(rows))
        for start in range(0, len(rows), settings.batch):
            batch = order[start : start + settings.batch]
            dense = np.zeros((len(batch), width + 1), dtype=np.float32)
            for place, row in enumerate(batch):
                columns, values, group = rows[row]
                hidden = rng.random(len(GROUPS)) < settings.hide
                kept = (rng.random(len(columns)) >= settings.drop) & ~hidden[group]
                dense[place, columns[kept]] = values[kept] / (1 - settings.drop)
            dense[:, width] = 1
            gradient = dense.T @ _residual(dense @ weight, target[batch], share[batch], np)
            steps += 1
            rate = settings.rate * (1 - steps / (total + 1))
            first += 0.1 * (gradient - first)
            second += 0.01 * (gradient * gradient - second)
            step = (first / (1 - 0.9**steps)) / (np.sqrt(second / (1 - 0.99**steps)) + 1e-6)
            weight -= rate * (step + settings.decay * (weight - began))
    return weight[:width], weight[width]


def _residual(scores: Any, target: Any, share: Any, np: Any) -> Any:
    scores = scores - scores.max(axis=1, keepdims=True)
    chance = np.exp(scores)
    chance /= chance.sum(axis=1, keepdims=True)
    chance[np.arange(len(target)), target] -= 1
    return chance * share[:, None] / len(target)

"""What guesses on held-out families come to: accuracy, F1, tiers, coverage, calibration."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import exp, log

from msgspec import Struct
from prompts.made import request

from hybridllm.config_file import load_config
from hybridllm.tasks import RuleClassifier

MERGED = {"code_review": "refactoring", "specialized_reasoning": "complex_reasoning"}
"""Labels that the collection does not tell apart count as one."""
SIMPLE = ("classification", "extraction", "templated_generation")
PREMIUM = ("complex_reasoning", "specialized_reasoning")


class Guess(Struct):
    """The true label of a row, its family, the scores of all labels, whether its licence lets
    weights that are shipped learn from it, and its text."""

    label: str
    family: str
    scores: dict[str, float]
    permitted: bool
    text: str


def tier(label: str) -> str:
    return "simple" if label in SIMPLE else "premium" if label in PREMIUM else "mid"


def chances(guess: Guess, temperature: float) -> dict[str, float]:
    """Probabilities of the merged labels."""
    top = max(guess.scores.values())
    parts = {name: exp((score - top) / temperature) for name, score in guess.scores.items()}
    whole = sum(parts.values())
    found: dict[str, float] = defaultdict(float)
    for name, part in parts.items():
        found[MERGED.get(name, name)] += part / whole
    return found


def loss(guesses: list[Guess], temperature: float) -> float:
    """Mean negative log likelihood, every family counting the same."""
    by_family: dict[str, list[float]] = defaultdict(list)
    for guess in guesses:
        chance = chances(guess, temperature)[MERGED.get(guess.label, guess.label)]
        by_family[guess.family].append(-log(max(chance, 1e-9)))
    return sum(sum(found) / len(found) for found in by_family.values()) / len(by_family)


def calibrated(guesses: list[Guess]) -> float:
    """The temperature under which the guesses are likeliest (Guo et al. 2017, arXiv:1706.04599)."""
    return min((step / 20 for step in range(6, 101)), key=lambda value: loss(guesses, value))


def calibrated_apart(guesses: list[Guess]) -> list[tuple[str, str, str, float]]:
    """(true, guessed, family, confidence) of each; a family's temperature is from the others."""
    families = sorted({guess.family for guess in guesses})
    groups = {family: place % 5 for place, family in enumerate(families)}
    heat = {
        group: calibrated([guess for guess in guesses if groups[guess.family] != group])
        for group in range(5)
    }
    found = []
    for guess in guesses:
        all_chances = chances(guess, heat[groups[guess.family]])
        best = max(all_chances, key=lambda name: all_chances[name])
        true = MERGED.get(guess.label, guess.label)
        found.append((true, best, guess.family, all_chances[best]))
    return found


def f1(pairs: list[tuple[str, str]], label: str) -> float:
    right = sum(true == best == label for true, best in pairs)
    false = sum((true == label) != (best == label) for true, best in pairs)
    return 2 * right / (2 * right + false) if right else 0.0


def report(guesses: list[Guess]) -> str:
    """All figures, as Markdown tables."""
    found = calibrated_apart(guesses)
    pairs = [(true, best) for true, best, _, _ in found]
    labels = sorted({true for true, _ in pairs})
    accuracy = sum(true == best for true, best in pairs) / len(pairs)
    macro = sum(f1(pairs, label) for label in labels) / len(labels)
    tiers = sum(tier(true) == tier(best) for true, best in pairs) / len(pairs)
    bins: dict[int, list[tuple[bool, float]]] = defaultdict(list)
    for true, best, _, sure in found:
        bins[min(int(sure * 10), 9)].append((true == best, sure))
    error = sum(
        abs(sum(right for right, _ in kept) - sum(sure for _, sure in kept))
        for kept in bins.values()
    ) / len(found)
    lines = [
        f"prompts {len(found):,}; accuracy {accuracy:.3f}; macro-F1 {macro:.3f}; "
        f"right tier {tiers:.3f}; expected calibration error {error:.3f}",
        "",
        "| surest | right | right tier | least confidence |",
        "| ---: | ---: | ---: | ---: |",
    ]
    order = sorted(found, key=lambda one: -one[3])
    for percent in range(10, 101, 10):
        kept = order[: len(order) * percent // 100]
        right = sum(true == best for true, best, _, _ in kept) / len(kept)
        level = sum(tier(true) == tier(best) for true, best, _, _ in kept) / len(kept)
        lines.append(f"| {percent}% | {right:.3f} | {level:.3f} | {kept[-1][3]:.2f} |")
    lines += ["", "| label | prompts | recall | F1 |", "| --- | ---: | ---: | ---: |"]
    for label in labels:
        mine = [best for true, best in pairs if true == label]
        lines.append(
            f"| {label} | {len(mine)} | {mine.count(label) / len(mine):.2f} "
            f"| {f1(pairs, label):.2f} |"
        )
    lines += [
        "",
        "| family | label | prompts | right | confidence | taken for |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for family in sorted({family for _, _, family, _ in found}):
        own = [one for one in found if one[2] == family]
        wrong = Counter(best for true, best, _, _ in own if true != best)
        sure = sum(one[3] for one in own) / len(own)
        taken = ", ".join(f"{best} {count}" for best, count in wrong.most_common(3))
        right = sum(true == best for true, best, _, _ in own) / len(own)
        lines.append(
            f"| {family} | {own[0][0]} | {len(own)} | {right:.2f} | {sure:.2f} | {taken} |"
        )
    return "\n".join(lines)


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
"""Which of the presets' tasks are right for a label of the collection."""
_DEFAULT = ("summarization", "question_answering")
"""Labels that the presets have no task for: the default task stands in."""


def beside_rules(guesses: list[Guess], labels: dict[str, str]) -> str:
    """How often the preset's task is right, by the held-out guesses and by the rules. The rules'
    phrases were completed by reading part of these very families."""
    rules = RuleClassifier(load_config(preset="guide", env={}))
    right: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for guess in guesses:
        chance: dict[str, float] = defaultdict(float)
        for name, score in guess.scores.items():
            chance["general" if name in _DEFAULT else name] += exp(score)
        best = max(chance, key=lambda name: chance[name])
        ruled, _ = rules.classify(request(guess.text))
        accepted = ACCEPTED[labels[guess.text]]
        right[labels[guess.text]].append((best in accepted, ruled in accepted))
    lines = ["", "| label | learned, held out | rules |", "| --- | ---: | ---: |"]
    everything = [one for found in right.values() for one in found]
    for name, found in [*sorted(right.items()), ("all", everything)]:
        learned, ruled_right = (sum(side) / len(found) for side in zip(*found, strict=True))
        lines.append(f"| {name} | {learned:.1%} | {ruled_right:.1%} |")
    return "\n".join(lines)

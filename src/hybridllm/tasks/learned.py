"""The learned classifier: logistic regression over marks of the request (`features.py`).

It says how sure it is, and when it is unsure it never makes a request cheaper than the default
task would: of a guess below its floor only one is kept whose tier is at least the default task's.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from hybridllm.catalog.structs import Tier
from hybridllm.config import Config
from hybridllm.errors import ConfigError
from hybridllm.tasks.classifier import Classifier, RuleClassifier
from hybridllm.tasks.features import Marks, marks
from hybridllm.tasks.weights import Scorer, Weights, decode
from hybridllm.wire.dialect import Facts

_NEAREST = {
    "refactoring": ("code_review", "code_generation"),
    "code_review": ("refactoring", "code_generation"),
    "complex_reasoning": ("specialized_reasoning",),
    "specialized_reasoning": ("complex_reasoning",),
    "analysis": ("budget_analysis",),
}
"""What stands in for a label of which the configuration has no task; else the default task."""

_CODE = ("code_generation", "code_review", "refactoring")
_WIDE = "#cue complex_coding"
"""The cues for a change of many files, which no collection labels, are left to the rules."""

_FUNCTIONS = "#function"
"""Functions written into a prompt are a fact, which no guess has to outweigh."""

_ORDER = [Tier.SIMPLE, Tier.MID, Tier.PREMIUM]


class LearnedClassifier:
    """Names tasks by weights from training. Labels that the configuration has no task for go to
    the nearest one that it has, else to the default task."""

    def __init__(self, config: Config, weights: Weights, scorer: Scorer | None = None) -> None:
        self._scorer = scorer or Scorer(weights)
        self._floor = weights.floor
        self._default = config.routing.default_task
        self._known = frozenset(config.tasks)
        self._tasks = [self._task(label) for label in weights.labels]
        height = {name: _ORDER.index(task.tier) for name, task in config.tasks.items()}
        lowest = height.get(self._default, 0)
        self._safe = {name for name, tier in height.items() if tier >= lowest}

    def classify(self, facts: Facts) -> tuple[str, str]:
        """The task's name and how sure that is."""
        if not facts.system and not any(turn.text for turn in facts.turns):
            return self._default, "nothing in the conversation speaks plainly for a task"
        found = marks(facts)
        if _FUNCTIONS in found.shape and "agentic" in self._known:
            return "agentic", "function definitions are written into the conversation"
        chances = self._chances(found)
        best, second = sorted(chances, key=lambda task: -chances[task])[:2] or [self._default] * 2
        chance = chances[best]
        if chance < self._floor and best not in self._safe:
            return self._default, f"unsure: {best} at {chance:.2f} is too little for a cheaper tier"
        if best in _CODE and _WIDE in found.shape and "complex_coding" in self._known:
            return "complex_coding", f"the conversation reads like {best} of many files"
        return best, (
            f"the conversation reads like {best} ({chance:.2f}; {second} {chances[second]:.2f})"
        )

    def _chances(self, found: Marks) -> dict[str, float]:
        chances = dict.fromkeys([*self._tasks, self._default], 0.0)
        for task, chance in zip(self._tasks, self._scorer.probabilities(found), strict=True):
            chances[task] += chance
        return chances

    def _task(self, label: str) -> str:
        for name in (label, *_NEAREST.get(label, ())):
            if name in self._known:
                return name
        return self._default


def classifier(config: Config) -> Classifier:
    """The classifier that a configuration asks for: `[routing] classifier` and
    `classifier_weights`. Its weights are read once, here; nothing is read for a request.

    Raises ConfigError, naming the key, for weights that are not there or are none."""
    if config.routing.classifier == "rules":
        return RuleClassifier(config)
    path = config.routing.classifier_weights
    if path is None:
        return LearnedClassifier(config, shipped(), _scorer())
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as e:
        raise ConfigError(
            f"The classifier's weights {path} cannot be read: {e.strerror}.",
            field="routing.classifier_weights",
            remedy="Name a file that `hybridllm tasks train` wrote, or leave the key out.",
        ) from e
    return LearnedClassifier(config, decode(data, path))


@cache
def shipped() -> Weights:
    """The weights that come with the package."""
    name = "classifier.json.gz"
    return decode((files("hybridllm.tasks") / name).read_bytes(), f"the package's {name}")


@cache
def _scorer() -> Scorer:
    """Made once a process: a configuration that is read again does not wait for it."""
    return Scorer(shipped())

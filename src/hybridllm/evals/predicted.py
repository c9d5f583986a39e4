"""A router for `curve.py` that predicts, from the request alone, whether the strong model gains.

The task classifier's marks and training, with two labels: the strong model's answer scores higher,
or it does not. Every sample is predicted by weights that were trained on other samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hybridllm.evals.curve import Outcome
from hybridllm.tasks.features import marks
from hybridllm.tasks.training import Example, Settings, train
from hybridllm.tasks.weights import Scorer
from hybridllm.wire.dialect import Facts, Turn

FOLDS = 5
_SETTINGS = Settings(
    epochs=6, rate=0.01, decay=0.2, hide=0.0, families=1, least=5, most=(1500, 300, 300)
)


def predicted(outcomes: Sequence[Outcome], seed: int = 1) -> list[float]:
    """The strong model's expected gain on each sample, cross-validated in five folds of samples.

    Needs numpy (ImportError without). Raises ValueError where a fold has gains only, or none."""
    fold = [place % FOLDS for place in range(len(outcomes))]
    Random(seed).shuffle(fold)
    examples = [_example(one, place) for place, one in enumerate(outcomes)]
    found = [0.0] * len(outcomes)
    for held in range(FOLDS):
        known = [one for place, one in enumerate(examples) if fold[place] != held]
        scorer = Scorer(train(known, _SETTINGS))
        gain = scorer.labels.index("gain")
        for place, one in enumerate(examples):
            if fold[place] == held:
                scores = scorer.scores(one.marks)
                found[place] = scores[gain] - scores[1 - gain]
    return found


def _example(one: Outcome, place: int) -> Example:
    size = len(one.prompt.encode())
    facts = Facts(model="auto", turns=[Turn("user", one.prompt)], text_bytes=size)
    return Example(marks(facts), "gain" if one.strong > one.weak else "none", str(place))

"""People have graded the answers: their labels are in a file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from hybridllm.errors import RequestError
from hybridllm.evals.grading import Ask, Case, Grade, Judge


class HumanLabel(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One line of the file: the sample's id, the model's id, and a score from 0 to 1."""

    sample: str
    model: str
    score: float


class Human(Judge, frozen=True, kw_only=True):
    """`labels` is a JSONL file of HumanLabel, beside the set's own file. An answer without a label
    has no grade."""

    kind: ClassVar[str] = "human"
    labels: str

    def expect(self, expected: Any) -> Any:
        labels_of(self.labels)
        return expected

    async def judge(self, case: Case, ask: Ask) -> Grade:
        score = labels_of(self.labels).get((case.sample, case.model))
        if score is None:
            raise ValueError("nobody has labelled this answer")
        return Grade(score=score)


def labels_of(path: str) -> dict[tuple[str, str], float]:
    """Scores by (sample, model). Raises RequestError naming file, line and field."""
    try:
        state = Path(path).stat()
        return _labels(path, state.st_mtime_ns, state.st_size)
    except OSError as e:
        raise RequestError(f"Cannot read the labels in {path}: {e.strerror}.") from None


@lru_cache(maxsize=8)
def _labels(path: str, _changed: int, _size: int) -> dict[tuple[str, str], float]:
    found = {}
    lines = Path(path).read_bytes().splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            label = msgspec.json.decode(line, type=HumanLabel)
            if not 0 <= label.score <= 1:
                raise msgspec.ValidationError("score must lie in 0..1 - at `$.score`")
        except msgspec.DecodeError as e:
            raise RequestError(
                f"{path}, line {number}: {e}.",
                remedy='Write {"sample": "id", "model": "openai/gpt-4o-mini", "score": 1}.',
            ) from None
        found[label.sample, label.model] = label.score
    return found

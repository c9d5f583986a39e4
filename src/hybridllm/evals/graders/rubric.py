"""A model judges the answer by a rubric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hybridllm.checks.rubric import judgement, question_for_judge
from hybridllm.evals.grading import Ask, Case, Grade, Judge

_TRIES = 2


class Rubric(Judge, frozen=True, kw_only=True):
    """`model` judges by `rubric`, from 1 to `scale`, which becomes 0 to 1. `expected`, if there is
    one, is shown to it as a reference."""

    kind: ClassVar[str] = "rubric"
    model: str
    rubric: str
    scale: int = 5

    def judges(self) -> str | None:
        return self.model

    def expect(self, expected: Any) -> str:
        if not self.rubric.strip() or not 2 <= self.scale <= 100:
            raise ValueError("needs a rubric, and a scale from 2 to 100")
        if expected is None or isinstance(expected, str):
            return expected or ""
        raise ValueError("must be a text, or left out")

    async def judge(self, case: Case, ask: Ask) -> Grade:
        prompt = question_for_judge(
            self.rubric, case.question, case.answer, self.scale, case.expected or ""
        )
        for _ in range(_TRIES):
            reply = await ask(self.model, [{"role": "user", "content": prompt}])
            said = judgement(reply, self.scale)
            if said is not None:
                return Grade(score=(said.score - 1) / (self.scale - 1), why=said.why)
        raise ValueError("the judge gave no score from 1 to " + str(self.scale))


def question_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """A conversation as one text, for a judge."""
    if len(messages) == 1 and isinstance(messages[0].get("content"), str):
        return str(messages[0]["content"])
    return "\n\n".join(f"{m.get('role', '')}: {_content(m.get('content'))}" for m in messages)


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    found = [p.get("text", f"({p.get('type', 'part')})") for p in parts if isinstance(p, dict)]
    return "\n".join(found)

"""All graders by the name that sets call them by."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import msgspec

from hybridllm.evals.graders.all_of import AllOf
from hybridllm.evals.graders.bleu import Bleu
from hybridllm.evals.graders.code import Code
from hybridllm.evals.graders.exact import Exact
from hybridllm.evals.graders.extraction import Extraction
from hybridllm.evals.graders.f1 import TokenF1
from hybridllm.evals.graders.human import Human
from hybridllm.evals.graders.json_schema import JsonSchema
from hybridllm.evals.graders.label import Label
from hybridllm.evals.graders.normalised import Normalised
from hybridllm.evals.graders.numeric import Numeric
from hybridllm.evals.graders.pairwise import Pairwise
from hybridllm.evals.graders.pattern import Pattern
from hybridllm.evals.graders.rouge import Rouge
from hybridllm.evals.graders.rubric import Rubric
from hybridllm.evals.grading import Grader

GRADERS: dict[str, type[Grader]] = {
    grader.kind: grader
    for grader in (
        Exact,
        Normalised,
        TokenF1,
        Numeric,
        Pattern,
        JsonSchema,
        Extraction,
        Label,
        Rouge,
        Bleu,
        AllOf,
        Code,
        Rubric,
        Pairwise,
        Human,
    )
}


def grader_of(said: Any) -> Grader:
    """The grader that a set names: `"exact"`, or `{"kind": "numeric", "tolerance": 0.01}`. Raises
    ValueError, saying which key is wrong."""
    parameters = {"kind": said} if isinstance(said, str) else said
    if not isinstance(parameters, dict) or not isinstance(parameters.get("kind"), str):
        raise ValueError('must be a name, or an object such as {"kind": "numeric"}')
    kind = parameters["kind"]
    if kind not in GRADERS:
        near = get_close_matches(kind, GRADERS, n=1)
        meant = f'; did you mean "{near[0]}"?' if near else f"; there are {', '.join(GRADERS)}"
        raise ValueError(f'there is none called "{kind[:50]}"{meant}')
    rest = {name: value for name, value in parameters.items() if name != "kind"}
    try:
        return msgspec.convert(rest, GRADERS[kind])
    except msgspec.ValidationError as e:
        raise ValueError(f"{kind}: {str(e).replace('$.', '')}") from None

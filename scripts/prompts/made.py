"""Makes labelled requests: `make(label, count, seed, sentences)`."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hybridllm.wire.dialect import Facts, Turn
from prompts import code, content, reasoning, simple, text, tools
from prompts.fill import fill

FAMILIES = {
    "classification": simple.CLASSIFICATION,
    "extraction": simple.EXTRACTION,
    "templated_generation": simple.TEMPLATED,
    "summarization": text.SUMMARIZATION,
    "question_answering": text.QUESTIONS,
    "general": text.CHAT,
    "analysis": text.ANALYSIS,
    "code_generation": code.GENERATION,
    "code_review": code.REVIEW,
    "refactoring": code.REFACTORING,
    "complex_reasoning": reasoning.COMPLEX,
    "specialized_reasoning": reasoning.SPECIALIZED,
    "agentic": {},
}
_SCHEMAS = ("classification", "extraction", "templated_generation", "complex_reasoning", "analysis")
"""Labels whose requests now and then want a JSON schema, by a setting or by the one tool."""
_BEFORE = [
    "Please ",
    "Can you please ",
    "Hi! ",
    "Hey, ",
    "### Instruction:\n",
    "Task: ",
    "I need help. ",
    "Instructions: ",
    "You are a helpful assistant. ",
    "You are an expert. ",
    "Question: ",
    "Hello, ",
]
_AFTER = [
    "\n\n### Response:",
    " Thanks!",
    "\n\nPlease answer concisely.",
    "\nAnswer:",
    " Thank you.",
    "\n\nOutput:",
    "\n\nBe brief.",
    "\nResponse:",
]


def make(label: str, count: int, seed: int, sentences: list[str]) -> Iterator[tuple[str, Facts]]:
    """(self-made family, request) for one label, `count` times."""
    rng = random.Random(f"{label} {seed}")
    table = content.slots(sentences)
    for module in (simple, text, code, reasoning):
        table.update(module.SLOTS)
    for _ in range(count):
        if label == "agentic":
            asks = fill(rng.choice(_asks()), table, rng).removeprefix("SYSTEM:")[:600]
            way, system, first, stated = tools.agentic(rng, table, asks)
            yield f"made agentic {way}", request(first, system, tools=stated)
            continue
        families = FAMILIES[label]
        weights = [len(options) ** 0.5 for options in families.values()]
        family = rng.choices(list(families), weights)[0]
        written = (
            fill(rng.choice(families[family]), table, rng).replace("{{", "{").replace("}}", "}")
        )
        system = ""
        if written.startswith("SYSTEM:"):
            system, _, written = written.removeprefix("SYSTEM:").partition("\nUSER:")
        else:
            written = _varied(written, rng)
        found = request(written, system)
        if label in _SCHEMAS and rng.random() < 0.2:
            found.wants_schema = True
            found.tools = rng.choice([0, 0, 1])
        yield f"made {label} {family}", found


def request(first: str, system: str = "", tools: int = 0) -> Facts:
    """A request of one turn."""
    size = len(first.encode()) + len(system.encode())
    return Facts(
        model="auto", system=system, turns=[Turn("user", first)], text_bytes=size, tools=tools
    )


def _asks() -> list[str]:
    """What else may be asked where there are functions."""
    return [
        *text.QUESTIONS["plain"],
        *text.CHAT["advice"],
        *reasoning.COMPLEX["word"],
        *reasoning.SPECIALIZED["science"],
        *simple.CLASSIFICATION["judgements"],
    ]


def _varied(written: str, rng: random.Random) -> str:
    if rng.random() < 0.12:
        written = rng.choice(_BEFORE) + written
    if rng.random() < 0.1:
        written = written + rng.choice(_AFTER)
    if rng.random() < 0.1:
        written = written.lower()
    if rng.random() < 0.06:
        written = written.rstrip("?.!")
    return written

"""What the demo asks: prompts that read like real ones, of exactly the workload's token counts."""

from __future__ import annotations

from random import Random

from hybridllm.simulators import prompt_of

_NAMES = ("Amara", "Jonas", "Mei", "Rafael", "Ingrid", "Tomasz", "Leila", "Kofi", "Hana", "Luc")
_GOODS = ("standing desk", "espresso grinder", "bike trailer", "desk lamp", "rain jacket", "router")
_TROUBLES = (
    "arrived with a cracked corner and I would like a replacement",
    "was charged twice on my card",
    "has not arrived although tracking says delivered",
    "is the wrong colour; how do I send it back",
    "stopped working after the last update",
)
_REGIONS = ("North", "South", "Alpine", "Coastal", "Metro")
_MODULES = ("billing", "inventory", "scheduler", "session store", "search index", "exporter")
_FAULTS = (
    "two writers deadlock when a customer is merged while an invoice is drawn up",
    "retries double-count usage after a worker restarts in the middle of a batch",
    "the cache serves an old price for up to an hour after a change of currency",
)


def _classification(number: int, chance: Random) -> str:
    return (
        f"Ticket {number}. Classify the customer's message as one of: billing, delivery, return, "
        "technical, other. Answer with the label and one sentence of reason.\n\n"
        f"From {chance.choice(_NAMES)}: My {chance.choice(_GOODS)} (order "
        f"{chance.randrange(10**6, 10**7)}) {chance.choice(_TROUBLES)}."
    )


def _analysis(number: int, chance: Random) -> str:
    rows = "\n".join(
        f"{region}: {chance.randrange(800, 4000)} units, revenue {chance.randrange(40, 900)}k, "
        f"returns {chance.randrange(1, 9)}%"
        for region in _REGIONS
    )
    return (
        f"Report {number}. Analyse the quarter below: what drives the change in margin, which "
        f"region deserves attention, and what should be asked of its manager?\n\n{rows}\n\nNotes "
        "from the field:"
    )


def _code(number: int, chance: Random) -> str:
    module = chance.choice(_MODULES)
    return (
        f"Task {number}. Write a Python module for the {module} with type hints, docstrings and "
        "tests. It replaces this sketch:\n\n```python\nclass "
        f"{module.title().replace(' ', '')}:\n    def __init__(self, rows):\n        self.rows = "
        f"rows\n\n    def find(self, key, default={chance.randrange(100)}):\n        return "
        "next((r for r in self.rows if r.key == key), default)\n```\n\nWhat the team has said:"
    )


def _complex(number: int, chance: Random) -> str:
    return (
        f"Incident {number}. In our {chance.choice(_MODULES)}, {chance.choice(_FAULTS)}. Reason "
        "through the possible causes step by step, weigh the evidence, and propose a fix with its "
        "risks and a plan of migration.\n\nEvidence collected so far:"
    )


_WRITERS = {
    "classification": _classification,
    "analysis": _analysis,
    "code_generation": _code,
    "complex_reasoning": _complex,
}


def prompt(task: str, number: int, input_tokens: int, output_tokens: int) -> str:
    """The prompt of call `number`, of exactly `input_tokens` as the simulators count, which has a
    simulated model answer in exactly `output_tokens`. Every prompt begins with its own number, so
    that no two share a cached prefix."""
    chance = Random(f"{task}-{number}")
    return prompt_of(
        input_tokens,
        seed=number,
        start=_WRITERS[task](number, chance),
        directive=f"output_tokens={output_tokens}",
    )

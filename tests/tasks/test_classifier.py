"""What the rule-based classifier makes of whole conversations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.catalog.structs import Tier
from hybridllm.tasks import RuleClassifier
from tests.tasks.build import TASKS, config, facts

CLASSIFIER = RuleClassifier(config())

FUNCTION = "```python\ndef mean(xs):\n    return sum(xs) / len(xs)\n```"
SESSION = (
    "Write a Python function that parses ISO dates out of a log file.",
    "```python\nimport re\n\ndef dates(path):\n    ...\n```\nIt returns a list.",
    "Now add unit tests for it.",
    "```python\ndef test_dates(): ...\n```",
)

CASES = {
    "a sentiment": (facts("Is this review positive or negative? 'Cold soup.'"), "classification"),
    "a class in the system prompt": (
        facts("My card was charged twice", system="Classify each message: billing, bug, other."),
        "classification",
    ),
    "fields out of a text": (
        facts("Extract the invoice number and the total from this email: ..."),
        "extraction",
    ),
    "a filled template": (
        facts("Write a product description using the following data: name[Kettle], colour[red]"),
        "templated_generation",
    ),
    "a function to write": (facts("Write a function to reverse a list."), "code_generation"),
    "code to review": (facts(f"Review this function and find bugs:\n{FUNCTION}"), "code_review"),
    "code to rework": (facts(f"Refactor this:\n{FUNCTION}"), "refactoring"),
    "talk to rewrite is no code": (facts("Rewrite my letter to the landlord."), "general"),
    "a question": (facts("Who wrote Middlemarch?"), "general"),
    "a long document": (facts("Here it is:\n" + "word " * 8_000), "analysis"),
    "a proof": (
        facts(r"Prove that $\sqrt{2}$ is irrational, and state the lemma used."),
        "specialized_reasoning",
    ),
    "tools defined": (facts("What is the weather in Oslo?", tools=3), "agentic"),
    "tools in use": (facts("hi", "calling", "go on", tools=1, tool_calls=5), "agentic"),
    "nothing at all": (facts(), "general"),
    "an empty turn": (facts(""), "general"),
}


@pytest.mark.parametrize(("request_", "task"), CASES.values(), ids=CASES)
def test_a_conversation_is_known_by_what_it_says(request_, task):
    assert CLASSIFIER.classify(request_)[0] == task


@pytest.mark.parametrize(
    "last", ["ok, continue", "yes", "thanks, go on", "Is that positive or negative?"]
)
def test_the_last_line_does_not_make_a_coding_session_a_simple_task(last):
    assert CLASSIFIER.classify(facts(*SESSION, last))[0] == "code_generation"
    deep = facts(*SESSION * 30, last, tools=4, tool_calls=60)
    assert CLASSIFIER.classify(deep)[0] in ("agentic", "code_generation")


def test_it_says_by_what_it_knew_and_repeats_nothing_of_the_prompt():
    task, why = CLASSIFIER.classify(facts("Classify this secret-4711 message."))
    assert task == "classification"
    assert "'classify' (first turn)" in why
    assert "4711" not in why
    assert "nothing in the conversation" in CLASSIFIER.classify(facts("Hello"))[1]


def test_a_task_that_is_not_configured_is_never_named():
    small = RuleClassifier(config({"general": Tier.MID, "extraction": Tier.SIMPLE}))
    assert small.classify(facts("Classify this: spam or ham?"))[0] == "general"


def test_of_a_huge_text_both_ends_are_read_and_the_middle_is_not():
    cue, filler = " Classify this. ", "word " * 1_000
    small = {"text_bytes": 100}
    for text in (cue + filler * 2, filler * 2 + cue):
        assert CLASSIFIER.classify(facts(text, **small))[0] == "classification"
    assert CLASSIFIER.classify(facts(filler + cue + filler, **small))[0] == "general"


def test_of_a_long_conversation_the_beginning_and_the_end_are_read():
    cue, quiet = ("Classify this.", "Done."), ("Hello.", "Hello.")
    assert CLASSIFIER.classify(facts(*quiet, *cue, *quiet * 20))[0] == "classification"
    assert CLASSIFIER.classify(facts(*quiet * 20, *cue))[0] == "classification"
    assert CLASSIFIER.classify(facts(*quiet * 20, *cue, *quiet * 20))[0] == "general"


@settings(deadline=None, max_examples=100)
@given(
    texts=st.lists(st.text(max_size=300), max_size=30),
    system=st.text(max_size=300),
    tools=st.integers(0, 3),
)
def test_any_conversation_gets_a_configured_task_and_the_same_one_again(texts, system, tools):
    request = facts(*texts, system=system, tools=tools)
    first = CLASSIFIER.classify(request)
    assert first[0] in TASKS
    assert CLASSIFIER.classify(request) == first

"""What the learned classifier makes of requests, how sure it says it is, and what it never does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from hybridllm.catalog.structs import Tier
from hybridllm.config import RoutingConfig
from hybridllm.errors import ConfigError
from hybridllm.tasks import LearnedClassifier, RuleClassifier, TaskNamer
from hybridllm.tasks.learned import classifier, shipped
from tests.tasks.build import TASKS, config, facts

CLASSIFIER = LearnedClassifier(config(), shipped())
AGAIN = LearnedClassifier(config(), shipped())
FUNCTION = "```python\ndef mean(xs):\n    return sum(xs) / len(xs)\n```"
SCHEMA = '[{"name": "get_rate", "description": "Rate", "parameters": {"type": "object"}}]'

CASES = {
    "a sentiment": (facts("Is this review positive or negative? 'Cold soup.'"), "classification"),
    "a class in the system prompt": (
        facts("My card was charged twice", system="Classify each message: billing, bug, other."),
        "classification",
    ),
    "fields out of a text": (
        facts("Extract the invoice number and the total from this email: Invoice 77, total $12."),
        "extraction",
    ),
    "a filled template": (
        facts("Write a product description using the following data: name[Kettle], colour[red]"),
        "templated_generation",
    ),
    "a function to write": (facts("Write a function to reverse a list."), "code_generation"),
    "code to review": (facts(f"Review this function and find bugs:\n{FUNCTION}"), "code_review"),
    "code to rework": (facts(f"Refactor this to be more readable:\n{FUNCTION}"), "refactoring"),
    "a chat": (facts("What should I cook for my sister's birthday?"), "general"),
    "a question": (facts("Who wrote Middlemarch?"), "general"),
    "a summary": (facts("Summarize in two sentences: The board met on Tuesday."), "general"),
    "a proof": (facts(r"Prove that $\sqrt{2}$ is irrational."), "specialized_reasoning"),
    "a word problem": (
        facts("Ann has 12 apples, gives 5 away and buys 9 more. How many apples does she have?"),
        "complex_reasoning",
    ),
    "tools defined": (facts("What is the weather in Oslo?", tools=3), "agentic"),
    "functions written down": (facts(f"Convert 9 euros.\n\nFunctions: {SCHEMA}"), "agentic"),
    "nothing at all": (facts(), "general"),
    "an empty turn": (facts(""), "general"),
}


@pytest.mark.parametrize(("request_", "task"), CASES.values(), ids=CASES)
def test_a_request_is_known_by_what_it_asks(request_, task):
    assert CLASSIFIER.classify(request_)[0] == task


def test_it_says_how_sure_it_is_and_repeats_nothing_of_the_prompt():
    task, why = CLASSIFIER.classify(facts("Classify this secret-4711 message: spam or ham?"))
    assert task == "classification"
    assert why.startswith("the conversation reads like classification (0.")
    assert "4711" not in why


def test_an_unsure_guess_never_makes_a_request_cheaper_than_the_default_task():
    doubtful = LearnedClassifier(config(), structs.replace(shipped(), floor=1.01))
    for request, task in CASES.values():
        kept = "general" if TASKS[task] is Tier.SIMPLE else task
        assert doubtful.classify(request)[0] == kept
    assert "unsure" in doubtful.classify(CASES["a sentiment"][0])[1]


def test_a_label_without_a_task_goes_to_the_nearest_one_or_to_the_default():
    tasks = {"general": Tier.MID, "code_generation": Tier.MID}
    small = LearnedClassifier(config(tasks), shipped())
    assert small.classify(CASES["code to rework"][0])[0] == "code_generation"
    assert small.classify(CASES["a sentiment"][0])[0] == "general"


def test_a_configured_summarization_task_is_named():
    named = LearnedClassifier(config({**TASKS, "summarization": Tier.MID}), shipped())
    assert named.classify(CASES["a summary"][0])[0] == "summarization"


def test_a_change_of_many_files_is_complex_coding_where_that_is_a_task():
    wide = facts(f"Refactor this, and rename it throughout the codebase:\n{FUNCTION}")
    assert CLASSIFIER.classify(wide)[0] == "refactoring"
    named = LearnedClassifier(config({**TASKS, "complex_coding": Tier.PREMIUM}), shipped())
    assert named.classify(wide)[0] == "complex_coding"


def test_functions_written_into_the_prompt_outweigh_what_is_asked():
    for ask in ("Is this review positive or negative? 'Cold soup.'", "Compute 7! / 5!."):
        for request in (facts(f"{ask}\n{SCHEMA}"), facts(ask, system=f"Functions: {SCHEMA}")):
            task, why = CLASSIFIER.classify(request)
            assert task == "agentic"
            assert why.startswith("function definitions")


def test_of_a_huge_text_both_ends_are_read_and_the_middle_is_not():
    cue, filler = " Is this review positive or negative? ", "word " * 1_000
    other = "-" * len(cue)
    hidden, without = facts(filler + cue + filler), facts(filler + other + filler)
    assert CLASSIFIER.classify(hidden) == CLASSIFIER.classify(without)
    for text in (cue + filler * 2, filler * 2 + cue):
        assert CLASSIFIER.classify(facts(text))[0] == "classification"


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(st.text(max_size=300), max_size=12),
    system=st.text(max_size=300),
    tools=st.integers(0, 3),
    schema=st.booleans(),
)
def test_any_conversation_gets_a_configured_task_and_the_same_one_again(
    texts, system, tools, schema
):
    request = facts(*texts, system=system, tools=tools, wants_schema=schema)
    first = CLASSIFIER.classify(request)
    assert first[0] in TASKS
    assert AGAIN.classify(request) == first


def test_auto_is_named_by_the_learned_classifier_unless_the_rules_are_asked_for():
    assert "reads like" in TaskNamer(config()).name(CASES["a sentiment"][0], None).why
    ruled = config(routing=RoutingConfig(default_task="general", classifier="rules"))
    assert isinstance(classifier(ruled), RuleClassifier)


def test_weights_of_ones_own_are_read_and_what_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "weights.json.gz"
    named = config(routing=RoutingConfig(default_task="general", classifier_weights=str(path)))
    with pytest.raises(ConfigError, match="cannot be read") as missing:
        classifier(named)
    assert missing.value.field == "routing.classifier_weights"
    path.write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="holds no weights"):
        classifier(named)
    path.write_bytes(shipped().encode())
    request = CASES["a sentiment"][0]
    assert classifier(named).classify(request) == CLASSIFIER.classify(request)

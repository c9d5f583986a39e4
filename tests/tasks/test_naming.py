"""The order in which a task is named, and what is said of a name that does not exist."""

import pytest

from hybridllm.catalog.structs import Tier
from hybridllm.config import RoutingConfig, Rule
from hybridllm.errors import ConfigError, ErrorKind, RequestError
from hybridllm.tasks import TaskNamer
from tests.tasks.build import config, facts

RULES = (
    Rule(task="extraction", system=r"(?i)\binvoices?\b"),
    Rule(task="agentic", tools=True),
    Rule(task="analysis", min_input_tokens=50_000),
    Rule(task="templated_generation", tools=False, max_input_tokens=10),
)


def named(request, header=None, **more):
    return TaskNamer(config(rules=RULES, **more)).name(request, header)


ORDER = {
    "header before label, model and rule": (
        facts("x", model="task/analysis", label="extraction", tools=1),
        "code_review",
        ("code_review", "header"),
    ),
    "label before model and rule": (
        facts("x", model="task/analysis", label="extraction", tools=1),
        None,
        ("extraction", "label"),
    ),
    "model before rule": (
        facts("x", model="task/analysis", tools=1),
        None,
        ("analysis", "model"),
    ),
    "tier by model name": (facts("x", model="tier/simple"), None, ("classification", "model")),
    "tier by header": (facts("x"), "tier/mid", ("general", "header")),
    "task/ by header": (facts("x"), "task/agentic", ("agentic", "header")),
    "rule before classifier": (
        facts("Classify the sentiment of this review.", tools=1),
        None,
        ("agentic", "rule"),
    ),
    "rules in their order": (
        facts("x", system="You read Invoices.", tools=1),
        None,
        ("extraction", "rule"),
    ),
    "rule by least size": (facts("x", text_bytes=200_000), None, ("analysis", "rule")),
    "not by a byte less": (facts("x" * 50, text_bytes=199_999), None, ("general", "classifier")),
    "rule by most size": (facts("x" * 40), None, ("templated_generation", "rule")),
    "all that a rule sets must hold": (
        facts("x" * 40, tools=1, system="hello"),
        None,
        ("agentic", "rule"),
    ),
    "classifier for auto": (
        facts("Classify the sentiment of this review: the soup was cold."),
        None,
        ("classification", "classifier"),
    ),
    "no classifier for a concrete model": (
        facts("Classify the sentiment of this review: the soup was cold.", model="gpt-4o-mini"),
        None,
        ("general", "default"),
    ),
}


@pytest.mark.parametrize(("request_", "header", "expected"), ORDER.values(), ids=ORDER)
def test_the_first_that_says_anything_names_the_task(request_, header, expected):
    found = named(request_, header)
    assert (found.task.name, found.source) == expected
    assert found.why


@pytest.mark.parametrize(
    ("model", "id"),
    [
        ("gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        ("claude-sonnet-4-6", "anthropic/claude-sonnet-4-6"),
        ("auto", None),
        ("task/analysis", None),
        ("tier/mid", None),
    ],
)
def test_a_concrete_model_is_asked_for_and_a_symbolic_one_is_not(model, id):
    assert named(facts("x" * 50, model=model)).requested == id


def test_a_concrete_model_is_obeyed_and_metered_as_the_task_that_is_named():
    for header, label, expected in (("analysis", None, "header"), (None, "analysis", "label")):
        found = named(facts("x", model="gpt-4o-mini", label=label), header)
        assert found.requested == "openai/gpt-4o-mini"
        assert (found.task.name, found.source) == ("analysis", expected)


UNKNOWN = {
    "task in the header": (facts("x"), "clasification", "x-hybridllm-task", "'classification'"),
    "task in the label": (facts("x", label="extracton"), None, "metadata.task", "'extraction'"),
    "task as model": (facts("x", model="task/analisys"), None, "model", "'analysis'"),
    "nothing close": (facts("x"), "zzz", "x-hybridllm-task", "The tasks are: classification,"),
    "tier": (facts("x", model="tier/hard"), None, "model", "simple, mid, premium"),
    "tier without a task": (facts("x", model="tier/premium"), None, "model", "tier_tasks.premium"),
    "model": (facts("x", model="gpt-4o-mni"), None, "model", "'gpt-4o-mini'"),
    "model, even beside a header": (facts("x", model="gpt-9"), "analysis", "model", "/v1/models"),
    "no model": (facts("x", model=""), None, "model", "Send 'auto'"),
}


@pytest.mark.parametrize(("request_", "header", "field", "remedy"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_name_is_refused_with_its_field_and_what_was_meant(
    request_, header, field, remedy
):
    with pytest.raises(RequestError) as refused:
        named(request_, header)
    assert refused.value.kind is ErrorKind.NOT_FOUND
    assert (refused.value.status, refused.value.field) == (404, field)
    assert remedy in (refused.value.remedy or "")


@pytest.mark.parametrize("where", ["model", "header", "label", "tier"])
def test_an_absurdly_long_name_is_not_echoed(where):
    name = "m" * 300_000
    request = {
        "model": facts("x", model=name),
        "header": facts("x"),
        "label": facts("x", label=name),
        "tier": facts("x", model=f"tier/{name}"),
    }[where]
    with pytest.raises(RequestError) as refused:
        named(request, name if where == "header" else None)
    assert len(refused.value.text()) < 700


def test_a_system_prompts_both_ends_are_searched_and_its_middle_is_bounded():
    for system in ("invoices" + " x" * 90_000, "x " * 90_000 + "invoices"):
        assert named(facts("x", system=system)).task.name == "extraction"
    hidden = "x " * 90_000 + "invoices" + " x" * 90_000
    assert named(facts("x", system=hidden)).task.name == "analysis"


def test_mistakes_of_configuration_are_found_before_the_first_request():
    with pytest.raises(ConfigError, match="not a regular expression"):
        TaskNamer(config(rules=(Rule(task="analysis", system="(unclosed"),)))
    with pytest.raises(ConfigError, match="'nowhere' is not defined"):
        TaskNamer(config(routing=RoutingConfig(default_task="nowhere")))


def test_another_classifier_can_stand_in():
    class Always:
        def classify(self, facts):
            return "agentic", "it said so"

    found = TaskNamer(config(), Always()).name(facts("x"), None)
    assert (found.task.name, found.source, found.why) == ("agentic", "classifier", "it said so")


def test_a_classifier_that_names_no_task_of_ours_leaves_it_to_the_default():
    class Strange:
        def classify(self, facts):
            return "poetry", "it rhymes"

    assert TaskNamer(config(), Strange()).name(facts("x"), None).source == "default"


def test_tiers_may_be_missing_from_a_small_configuration():
    small = config({"general": Tier.MID}, tier_tasks={})
    with pytest.raises(RequestError, match="No task stands for tier 'mid'"):
        TaskNamer(small).name(facts("x", model="tier/mid"), None)

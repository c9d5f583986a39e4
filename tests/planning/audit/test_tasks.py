"""Which task calls are taken for: labels, prompts, sizes; and models by the names of exports."""

import json
import re
from pathlib import Path

import pytest

from hybridllm.planning.audit.formats import FORMATS
from hybridllm.planning.audit.formats.generic import COLUMNS
from hybridllm.planning.audit.groups import Group
from hybridllm.planning.audit.names import Names
from hybridllm.planning.audit.prompts import facts_of, shared_share
from hybridllm.planning.audit.tasks import RULES, Namer, harder
from tests.planning.audit.build import CONFIG, reported

NAMES = Names(CONFIG.catalog)


def calls(given, output, cached=0, n=10):
    return [
        Group(
            model="m",
            label="",
            said="",
            period=0,
            size_in=0,
            size_out=0,
            batch=False,
            rows=n,
            calls=n,
            input_tokens=(given - cached) * n,
            cached=cached * n,
            output=output * n,
        )
    ]


SIZES = [
    (500, 50, 0, "gpt-4o", "classification"),
    (4_000, 100, 0, "gpt-4o", "classification"),
    (4_001, 100, 0, "gpt-4o", "extraction"),
    (2_000, 500, 0, "gpt-4o", "extraction"),
    (1_999, 500, 0, "gpt-4o", "general"),
    (9_000, 400, 4_500, "gpt-4o", "general"),
    (20_000, 400, 9_000, "gpt-4o", "agentic"),
    (20_000, 1_000, 0, "gpt-4o", "analysis"),
    (3_000, 2_000, 0, "gpt-4o", "code_generation"),
    (3_000, 5_000, 0, "gpt-4o", "complex_reasoning"),
    (3_000, 1_000, 0, "claude-opus-4-7", "complex_reasoning"),
    (500, 50, 0, "claude-opus-4-7", "classification"),
]


@pytest.mark.parametrize(("given", "output", "cached", "model", "task"), SIZES)
def test_a_size_is_taken_for_a_task(given, output, cached, model, task):
    found = Namer(CONFIG).size(calls(given, output, cached), NAMES.find(model))
    assert (found.task, found.how) == (task, "size")


def test_uncounted_calls_are_the_default_task():
    found = Namer(CONFIG).size(calls(5_000, 50, n=0), None)
    assert (found.task, found.how) == ("general", "unknown")


def test_every_rule_names_a_task_of_the_presets():
    assert {rule.task for rule in RULES} <= set(CONFIG.tasks)


LABELS = [
    ("classification", "classification", "label"),
    ("Code Review", "code_review", "label"),
    ("task/extraction", "extraction", "label"),
    ("ticket-triage", "classification", "label read"),
    ("zorp", "general", "size"),
]


@pytest.mark.parametrize(("label", "task", "how"), LABELS)
def test_a_label_is_a_task_or_its_words_are_read(label, task, how):
    found = Namer(CONFIG).label(label, calls(1_000, 700), NAMES.find("gpt-4o"))
    assert (found.task, found.how) == (task, how)


def test_a_label_can_be_mapped_by_hand():
    found = Namer(CONFIG, {"zorp": "analysis"}).label("zorp", calls(10, 10), None)
    assert (found.name, found.task, found.how) == ("zorp", "analysis", "mapped")


MODELS = [
    ("gpt-4o", "openai/gpt-4o"),
    ("openai/gpt-4o", "openai/gpt-4o"),
    ("azure/gpt-4o-mini", "openai/gpt-4o-mini"),
    ("gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
    ("gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
    ("us.anthropic.claude-sonnet-4-6-20260101-v1:0", "anthropic/claude-sonnet-4-6"),
    ("bedrock/anthropic.claude-opus-4-7-v1:0", "anthropic/claude-opus-4-7"),
    ("vertex_ai/claude-sonnet-4-6@20260101", "anthropic/claude-sonnet-4-6"),
    ("models/gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("Claude Sonnet 4.6", "anthropic/claude-sonnet-4-6"),
]


@pytest.mark.parametrize(("written", "id"), MODELS)
def test_a_model_is_found_under_what_exports_call_it(written, id):
    found = NAMES.find(written)
    assert found is not None and found.id == id


@pytest.mark.parametrize("written", ["llama-3-70b", "", "gpt-", "claude", "my-gpt-4o"])
def test_what_is_not_in_the_catalogue_is_not_guessed(written):
    assert NAMES.find(written) is None


PROMPTS = [
    ("Say hi", "", ["Say hi"]),
    ('[{"role":"system","content":"Be terse"},{"role":"user","content":"Hi"}]', "Be terse", ["Hi"]),
    (
        '{"system":"S","messages":[{"role":"user","content":[{"type":"text","text":"A"}]}]}',
        "S",
        ["A"],
    ),
    ('[{"role":"user","parts":[{"type":"text","content":"B"}]}]', "", ["B"]),
    ('{"messages": [broken', "", ['{"messages": [broken']),
    ("[1, 2]", "", ["[1, 2]"]),
]


@pytest.mark.parametrize(("prompt", "system", "turns"), PROMPTS)
def test_prompts_are_read_in_any_shape(prompt, system, turns):
    facts = facts_of(prompt)
    assert (facts.system, [turn.text for turn in facts.turns]) == (system, turns)


def test_prompts_name_the_task_and_calls_like_them_follow(tmp_path):
    rows = [
        {
            "model": "gpt-4o",
            "input_tokens": 1_000,
            "output_tokens": 700,
            "prompt": prompt,
        }
        for prompt in (
            ["Classify the sentiment of this review as positive or negative: good"] * 30 + [""] * 10
        )
    ]
    path = tmp_path / "usage.jsonl"
    found = reported(path, "".join(json.dumps(row) + "\n" for row in rows))
    (line,) = found.tasks
    assert (line.task, line.how, line.calls) == ("classification", "prompt", 40)
    unread = reported(path, sample=0).tasks[0]
    assert (unread.task, unread.how) == ("general", "size")


def test_what_prompts_share_is_measured():
    system = "You are a careful assistant. " * 20
    prompts = [f"{system}{n:04d} question" for n in range(50)]
    share = shared_share(prompts)
    assert share is not None and 0.95 < share < 1
    assert shared_share(prompts[:5]) is None


def test_harder_is_a_tier_up_and_ends_at_the_top():
    assert harder("classification", CONFIG) == "general"
    assert harder("general", CONFIG) == "complex_reasoning"
    assert harder("complex_reasoning", CONFIG) == "complex_reasoning"


def test_the_page_lists_the_rules_and_columns_in_order():
    page = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
    table = page.partition("| the mean call |")[2].partition("\n\n")[0]
    assert re.findall(r"\| `(\w+)` \|$", table, re.MULTILINE) == [rule.task for rule in RULES]
    for names in COLUMNS.values():
        assert all(f"`{name}`" in page for name in names)
    assert all(f"`{name}`" in page for name in FORMATS)

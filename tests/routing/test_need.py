"""What of a request's facts counts for routing."""

from types import SimpleNamespace

from hybridllm.catalog.structs import Task, Tier
from hybridllm.routing import Need, need_of
from hybridllm.wire.dialect import Facts

TASK = Task(name="work", tier=Tier.MID)


def test_a_need_is_the_facts_that_count():
    facts = Facts(
        model="gpt-4o",
        turns=[],
        text_bytes=900,
        media=3,
        documents=1,
        tools=2,
        wants_schema=True,
        max_output_tokens=50,
        choices=4,
    )
    assert need_of(SimpleNamespace(task=TASK, requested="openai/gpt-4o"), facts) == Need(
        task=TASK,
        text_bytes=900,
        kind="json",
        media=3,
        documents=1,
        tools=True,
        json_schema=True,
        max_output_tokens=50,
        choices=4,
        requested="openai/gpt-4o",
    )


def test_plain_json_asks_for_no_schema():
    facts = Facts(model="auto", turns=[], wants_json=True)
    need = need_of(SimpleNamespace(task=TASK, requested=None), facts)
    assert not need.json_schema and not need.tools

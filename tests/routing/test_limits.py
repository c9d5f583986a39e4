"""Each limit keeps a candidate out of the chain, and says why."""

import pytest

from hybridllm.errors import ErrorKind, RequestError
from hybridllm.routing import Router
from tests.routing.build import config, m, names, need, world

CHEAP = m("cheap", 1.0, provider="a")


def limited(**limits):
    return m("cheap", 1.0, provider="a", **limits)


DEAR = m("dear", 5.0, provider="b", vision=True, documents=True, context_window=1_000_000)

CASES = {
    "context window: input and wanted output together": (
        limited(context_window=1_500),
        {"max_output_tokens": 501},
        {},
        "1,000 input and 501 output tokens exceed its context window of 1,500",
    ),
    "context window: input alone": (
        limited(context_window=1_000),
        {},
        {},
        "exceed its context window of 1,000",
    ),
    "output limit": (
        limited(max_output_tokens=200),
        {"max_output_tokens": 201},
        {},
        "201 output tokens wanted, its limit is 200",
    ),
    "tools": (limited(tools=False), {"tools": True}, {}, "cannot call tools"),
    "vision": (limited(vision=False), {"media": 1}, {}, "cannot read images"),
    "documents": (
        limited(documents=False),
        {"media": 1, "documents": 1},
        {},
        "cannot read documents",
    ),
    "JSON schema": (
        limited(json_schema=False),
        {"json_schema": True},
        {},
        "cannot hold to a JSON schema",
    ),
    "no key": (CHEAP, {}, {"providers": frozenset("b")}, "no key for provider 'a'"),
    "health": (CHEAP, {}, {"down": frozenset({"a/cheap"})}, "resting after failures"),
    "deprecation": (
        limited(deprecated_on="2026-04-20"),
        {},
        {},
        "withdrawn by its provider on 2026-04-20",
    ),
}


@pytest.mark.parametrize(("model", "asked", "state", "why"), CASES.values(), ids=CASES)
def test_a_model_beyond_a_limit_is_passed_over_and_says_why(model, asked, state, why):
    one = config(model, DEAR)
    around = world()
    for name, value in state.items():
        setattr(around, name, value)
    plan = Router(one).explain(need(one, **asked), around)
    assert names(plan.chain) == ["dear"]
    verdict = {v.model: v for v in plan.verdicts}["a/cheap"]
    assert not verdict.kept
    assert why in verdict.why


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (limited(context_window=1_500), {"max_output_tokens": 500}),
        (limited(context_window=1_100), {}),
        (limited(max_output_tokens=200), {"max_output_tokens": 200}),
        (limited(tools=False), {}),
        (limited(vision=False, documents=True), {"media": 1, "documents": 1}),
        (limited(documents=False), {"media": 1}),
        (limited(deprecated_on="2026-04-21"), {}),
    ],
    ids=["context", "expected output", "output", "tools", "only documents", "image", "day before"],
)
def test_a_model_within_its_limits_by_a_hair_serves(model, asked):
    one = config(model, DEAR)
    assert names(Router(one).plan(need(one, **asked), world()).chain)[0] == "cheap"


def test_a_slow_model_is_passed_over_only_where_the_task_sets_a_limit():
    slow = {"a/cheap": 2_000}
    one = config(CHEAP, DEAR, max_latency_ms=1_999)
    plan = Router(one).explain(need(one), world(latency_ms=slow))
    assert names(plan.chain) == ["dear"]
    assert "usually takes 2,000 ms, the task bears 1,999" in plan.verdicts[0].why
    patient = config(CHEAP, DEAR)
    chain = Router(patient).plan(need(patient), world(latency_ms=slow)).chain
    assert names(chain) == ["cheap", "dear"]


REFUSED = {
    "no key at all": (
        {},
        {"providers": frozenset()},
        ErrorKind.UNAVAILABLE,
        503,
        "Set A_API_KEY or B_API_KEY",
    ),
    "everything rests": (
        {},
        {"down": frozenset({"a/cheap", "b/dear"})},
        ErrorKind.UNAVAILABLE,
        503,
        "Try again in a few seconds",
    ),
    "too long": (
        {"text_bytes": 40_000_000},
        {},
        ErrorKind.CONTEXT_EXCEEDED,
        400,
        "Shorten the input",
    ),
    "too much output": (
        {"max_output_tokens": 50_000},
        {},
        ErrorKind.UNSUPPORTED,
        400,
        "Ask for fewer output tokens",
    ),
    "too long, and the larger model has no key": (
        {"text_bytes": 440_000},
        {"providers": frozenset("a")},
        ErrorKind.CONTEXT_EXCEEDED,
        400,
        "Set B_API_KEY",
    ),
}


@pytest.mark.parametrize(
    ("asked", "state", "kind", "status", "remedy"), REFUSED.values(), ids=REFUSED
)
def test_what_nothing_can_serve_is_refused_with_a_remedy(asked, state, kind, status, remedy):
    one = config(CHEAP, DEAR)
    router = Router(one)
    asked = {"text_bytes": 4_000, **asked}
    around = world()
    for name, value in state.items():
        setattr(around, name, value)
    with pytest.raises(RequestError) as refused:
        router.plan(need(one, **asked), around)
    assert (refused.value.kind, refused.value.status) == (kind, status)
    assert remedy in (refused.value.remedy or "")
    assert all(not verdict.kept for verdict in router.verdicts(need(one, **asked), around))


@pytest.mark.parametrize(
    ("lacking", "asked", "remedy"),
    [
        ({"tools": False}, {"tools": True}, "calls tools"),
        ({"vision": False}, {"media": 1}, "Leave the images out"),
        ({"documents": False}, {"media": 1, "documents": 1}, "Leave the documents out"),
        ({"json_schema": False}, {"json_schema": True}, "Ask for plain JSON"),
    ],
)
def test_a_capability_that_no_model_has_is_named(lacking, asked, remedy):
    one = config(m("x", **lacking), m("y", **lacking))
    with pytest.raises(RequestError) as refused:
        Router(one).plan(need(one, **asked), world())
    assert refused.value.kind is ErrorKind.UNSUPPORTED
    assert remedy in refused.value.text()


def test_a_task_without_models_says_so():
    one = config(CHEAP, candidates=())
    with pytest.raises(RequestError, match="'work' has no candidates"):
        Router(one).plan(need(one), world())

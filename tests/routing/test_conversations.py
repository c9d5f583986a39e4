"""A conversation stays with its model while that is wise; a model asked for by name is obeyed."""

import pytest

from hybridllm.config import RoutingConfig
from hybridllm.errors import ErrorKind, RequestError
from hybridllm.routing import Router
from tests.routing.build import config, m, names, need, world

CHEAP = m("cheap", 1.0, provider="a", cached=0.1)
DEAR = m("dear", 3.0, provider="b", cached=0.2)
GUEST = m("guest", 4.0, provider="c", cached=0.1)
QUALITY = {"cheap": 0.9, "dear": 0.95, "guest": 0.97}


def setting(**more):
    more = {"quality": QUALITY, "bar": 0.85, "candidates": ("cheap", "dear"), **more}
    return config(CHEAP, DEAR, GUEST, **more)


def plan(one, around, **asked):
    return Router(one).explain(need(one, **asked), around)


def warm(id, tokens=800, **more):
    return world(previous=id, warm_model=id, warm_tokens=tokens, **more)


def test_a_warm_model_keeps_its_conversation():
    found = plan(setting(), warm("b/dear"))
    assert names(found.chain) == ["dear", "cheap"]
    assert found.moved_from is None
    assert "dear keeps its conversation, of which it has 800 tokens cached" in found.reason


def test_what_is_warm_is_priced_as_cached():
    found = plan(setting(), warm("b/dear"))
    expected = {v.model: v.expected for v in found.verdicts}
    assert expected["b/dear"] == 200 * 3_000_000 + 800 * 200_000 + 100 * 1_000_000
    assert expected["a/cheap"] == 1_000 * 1_000_000 + 100 * 1_000_000


def test_no_more_is_cached_than_there_is_input():
    found = plan(setting(), warm("b/dear", tokens=50_000))
    assert {v.model: v.expected for v in found.verdicts}["b/dear"] == (
        1_000 * 200_000 + 100 * 1_000_000
    )


def test_a_warm_cache_can_make_a_dearer_model_the_tasks_choice():
    near = m("near", 0.9, provider="b")
    one = config(CHEAP, near)
    found = plan(one, world(warm_model="a/cheap", warm_tokens=900))
    assert found.chain[0].name == "cheap"


def test_a_warm_model_that_the_task_does_not_list_keeps_its_conversation_too():
    found = plan(setting(), warm("c/guest", tokens=900))
    assert names(found.chain) == ["guest", "cheap", "dear"]
    assert found.verdicts[0].model == "c/guest" and found.verdicts[0].kept


MOVES = {
    "cold": (setting(), world(previous="b/dear"), {}),
    "warm is another": (
        setting(),
        world(previous="b/dear", warm_model="a/cheap", warm_tokens=9),
        {},
    ),
    "down": (setting(), warm("b/dear", down=frozenset({"b/dear"})), {}),
    "without a key": (setting(), warm("b/dear", providers=frozenset("a")), {}),
    "not good enough": (setting(bar=0.96, candidates=("guest", "dear")), warm("b/dear"), {}),
    "gone from the catalogue": (setting(), warm("z/gone"), {}),
}


@pytest.mark.parametrize(("one", "around", "asked"), MOVES.values(), ids=MOVES)
def test_a_conversation_moves_and_the_move_is_told(one, around, asked):
    found = plan(one, around, **asked)
    assert found.chain[0].id != around.previous
    assert found.moved_from == around.previous
    assert f"moved from {around.previous.split('/')[1]}" in found.reason


def test_a_conversation_moves_when_it_outgrows_its_model():
    small = m("small", 1.5, provider="b", cached=0.1, context_window=1_050)
    one = config(CHEAP, small)
    assert plan(one, warm("b/small"), text_bytes=3_000).chain[0].name == "small"
    assert plan(one, warm("b/small"), text_bytes=4_000).moved_from == "b/small"


def test_a_cold_conversation_with_the_tasks_choice_has_not_moved():
    found = plan(setting(), world(previous="a/cheap"))
    assert found.chain[0].name == "cheap" and found.moved_from is None


# -- a model asked for by name


def test_a_model_asked_for_by_name_is_first_whatever_its_price_and_quality():
    found = plan(setting(bar=0.99), warm("a/cheap"), requested="c/guest")
    assert names(found.chain)[0] == "guest"
    assert "guest was asked for by name" in found.reason
    assert found.moved_from == "a/cheap"
    assert found.verdicts[0].why == "asked for by name"


def test_behind_it_stands_the_tasks_chain_where_fallbacks_are_granted():
    assert names(plan(setting(), world(), requested="b/dear").chain) == ["dear", "cheap"]
    alone = setting(routing=RoutingConfig(concrete_fallbacks=False))
    assert names(plan(alone, world(), requested="b/dear").chain) == ["dear"]


def test_it_is_tried_even_while_it_rests():
    around = world(down=frozenset({"b/dear"}))
    assert names(plan(setting(), around, requested="b/dear").chain) == ["dear", "cheap"]


def test_it_serves_alone_where_the_task_has_nothing_that_fits():
    wide = m("wide", 9.0, provider="c", context_window=10_000_000)
    one = config(CHEAP, wide, candidates=("cheap",))
    assert names(plan(one, world(), text_bytes=4_000_000, requested="c/wide").chain) == ["wide"]


@pytest.mark.parametrize(
    ("around", "asked", "kind", "remedy"),
    [
        (world("a"), {}, ErrorKind.UNAVAILABLE, "Set C_API_KEY in the gateway's environment."),
        (world(), {"text_bytes": 4_000_000}, ErrorKind.CONTEXT_EXCEEDED, "send model 'auto'"),
        (world(), {"max_output_tokens": 11_000}, ErrorKind.UNSUPPORTED, "send model 'auto'"),
    ],
)
def test_it_is_not_replaced_in_silence_where_it_cannot_serve(around, asked, kind, remedy):
    with pytest.raises(RequestError) as refused:
        plan(setting(), around, requested="c/guest", **asked)
    assert refused.value.kind is kind
    assert refused.value.field == "model"
    assert "c/guest" in refused.value.message and remedy in (refused.value.remedy or "")

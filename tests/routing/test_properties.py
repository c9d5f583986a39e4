"""What holds of every plan, over generated catalogues, requests and states of the world."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hybridllm.errors import RequestError
from hybridllm.routing import Router
from tests.routing.build import config, m, need, world

SETTINGS = settings(deadline=None, max_examples=150)

prices = st.integers(0, 20)
qualities = st.sampled_from([None, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99])
models = st.builds(
    dict,
    input=prices,
    output=prices,
    provider=st.sampled_from("abc"),
    context_window=st.sampled_from([500, 2_000, 100_000]),
    max_output_tokens=st.sampled_from([100, 1_000, 10_000]),
    tools=st.booleans(),
    vision=st.booleans(),
    tokens_per_kbyte=st.integers(200, 400),
)


@st.composite
def setups(draw):
    """A configuration of up to eight models, some of them fallbacks, with its qualities."""
    drawn = draw(st.lists(st.tuples(models, qualities), min_size=1, max_size=8))
    made = [m(f"m{n}", **fields) for n, (fields, _) in enumerate(drawn)]
    known = {f"m{n}": q for n, (_, q) in enumerate(drawn) if q is not None}
    names = [model.name for model in made]
    split = draw(st.integers(0, len(names)))
    return config(
        *made,
        quality=known,
        bar=draw(st.sampled_from([0.0, 0.7, 0.9, 0.97])),
        candidates=tuple(names[:split]),
        fallbacks=tuple(draw(st.permutations(names))[: draw(st.integers(0, len(names)))]),
    )


needs = st.fixed_dictionaries(
    {
        "text_bytes": st.integers(0, 20_000),
        "tools": st.booleans(),
        "media": st.integers(0, 1),
        "max_output_tokens": st.none() | st.integers(1, 12_000),
    }
)
worlds = st.builds(
    lambda providers, down: world(
        providers=frozenset(providers), down=frozenset(f"{p}/m{n}" for p, n in down)
    ),
    st.sets(st.sampled_from("abc"), min_size=1),
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 7)), max_size=4),
)


def explained(setup, asked, around):
    """The plan with its verdicts; requests that nothing can serve are another test's affair."""
    try:
        return Router(setup).explain(need(setup, **asked), around)
    except RequestError:
        assume(False)
        raise


@SETTINGS
@given(setups(), needs, worlds)
def test_the_choice_is_the_cheapest_of_the_kept(setup, asked, around):
    plan = explained(setup, asked, around)
    expected = {verdict.model: verdict.expected for verdict in plan.verdicts if verdict.kept}
    assert expected[plan.chain[0].id] == min(expected.values())


@SETTINGS
@given(setups(), needs, worlds)
def test_the_chain_holds_no_model_twice_and_none_that_does_not_fit(setup, asked, around):
    plan = explained(setup, asked, around)
    ids = [model.id for model in plan.chain]
    assert len(ids) == len(set(ids))
    for model in plan.chain:
        tokens = -(-asked["text_bytes"] * model.tokens_per_kbyte // 1000) + 1_000 * asked["media"]
        wanted = asked["max_output_tokens"] or 0
        assert tokens + wanted <= model.context_window
        assert wanted <= model.max_output_tokens
        assert model.tools or not asked["tools"]
        assert model.vision or not asked["media"]
        assert model.provider in around.providers
        assert model.id not in around.down


@SETTINGS
@given(st.lists(st.tuples(prices, prices), min_size=1, max_size=8), st.integers(0, 20_000))
def test_a_costlier_candidate_never_changes_the_choice(figures, text_bytes):
    made = [m(f"m{n}", input, output) for n, (input, output) in enumerate(figures)]
    extra = m("extra", 21, 21, provider="d")
    for wider in ((extra, *made), (*made, extra)):
        first, again = (
            Router(one).plan(need(one, text_bytes), world()).chain[0].id
            for one in (config(*made), config(*wider))
        )
        assert first == again


@SETTINGS
@given(setups(), needs, worlds, st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_raising_the_bar_never_lowers_the_quality(setup, asked, around, bars):
    known = {quality.model: quality.lower for quality in setup.quality}

    def quality_at(bar):
        task = replace(setup.tasks["work"], bar=bar)
        chain = explained(replace(setup, tasks={"work": task}), asked, around).chain
        return known.get(chain[0].id, -1.0)

    low, high = sorted(bars)
    assert quality_at(low) <= quality_at(high)


@SETTINGS
@given(setups(), needs, worlds)
def test_the_second_place_is_another_providers_wherever_the_chain_has_one(setup, asked, around):
    chain = explained(setup, asked, around).chain
    others = [model for model in chain if model.provider != chain[0].provider]
    assert not others or chain[1].provider != chain[0].provider


@SETTINGS
@given(setups(), needs, worlds)
def test_a_request_is_refused_only_when_no_model_of_the_task_can_serve_it(setup, asked, around):
    router, request = Router(setup), need(setup, **asked)
    verdicts = router.verdicts(request, around)
    if any(verdict.kept for verdict in verdicts):
        plan = router.plan(request, around)
        assert plan.chain and plan.reason
    else:
        with pytest.raises(RequestError) as refused:
            router.plan(request, around)
        assert refused.value.remedy

"""What a month costs one way and another: the guide's sums to the cent, and what must always hold
of any month."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hybridllm.catalog.structs import Price, PriceTier, Rates
from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError
from hybridllm.planning.cost import below_bar, strategies
from hybridllm.planning.workload import STRATEGIES, Line, Workload, load_workload
from hybridllm.routing import Need, Router, World
from tests.routing.build import config as small
from tests.routing.build import m

DAY = "2026-04-20"
CENT = 10**10
GUIDE = load_config(preset="guide", env={"HYBRIDLLM_CONFIG": ""})
MINI, PRO = "openai/gpt-4o-mini", "google/gemini-2.5-pro"
FLASH = "google/gemini-2.5-flash"
SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-7"


def month(*lines):
    """A workload of (task, calls, input, output)."""
    named = [
        dict(zip(("task", "calls", "input_tokens", "output_tokens"), x, strict=True)) for x in lines
    ]
    return Workload(name="test", tasks=tuple(Line(**x, where="month.toml:2") for x in named))


def by_name(*args, **more):
    return {strategy.name: strategy for strategy in strategies(*args, **more)}


def one(config, line, name="hybrid", day=DAY):
    """The only line of a strategy."""
    return by_name(month(line), config, day)[name].lines[0]


THE_GUIDE = [
    (
        "single",
        7125_00,
        [(SONNET, 1125_00), (SONNET, 3000_00), (SONNET, 1950_00), (SONNET, 1050_00)],
    ),
    ("hybrid", 5377_50, [(MINI, 52_50), (PRO, 1625_00), (SONNET, 1950_00), (OPUS, 1750_00)]),
    ("hybrid+batch", 4376_25, [(MINI, 26_25), (PRO, 1625_00), (SONNET, 975_00), (OPUS, 1750_00)]),
]


@pytest.mark.parametrize(("name", "cents", "lines"), THE_GUIDE)
def test_the_guides_month_to_the_cent(name, cents, lines):
    found = by_name(load_workload("guide"), GUIDE, DAY)[name]
    assert found.monthly == cents * CENT
    assert [(line.model, line.cost) for line in found.lines] == [
        (model, cost * CENT) for model, cost in lines
    ]


def test_only_what_can_wait_is_batched_in_the_guides_month():
    found = by_name(load_workload("guide"), GUIDE, DAY)
    modes = {line.task: line.mode for line in found["hybrid+batch"].lines}
    assert modes == {
        "classification": "batch",
        "analysis": "sync",
        "code_generation": "batch",
        "complex_reasoning": "sync",
    }
    for name in ("single", "hybrid"):
        assert {line.mode for line in found[name].lines} == {"sync"}


def test_the_guides_month_costs_the_same_on_any_day():
    month = load_workload("guide")
    assert strategies(month, GUIDE, "2024-06-01") == strategies(month, GUIDE, "2030-01-01")


SIZES = [
    ("under 128K: mini", ("classification", 1, 127_000, 50), MINI),
    ("past 128K: flash", ("classification", 1, 128_001, 50), FLASH),
    ("output past 16K: flash", ("extraction", 1, 500, 16_385), FLASH),
    ("output past 64K: opus", ("code_generation", 1, 3_000, 64_001), OPUS),
]


@pytest.mark.parametrize(("why", "line", "model"), SIZES)
def test_the_size_of_a_call_decides_as_it_does_on_the_way(why, line, model):
    assert one(GUIDE, line).model == model, why


@pytest.mark.parametrize("task", GUIDE.tasks)
def test_the_routed_month_is_the_routers_own_choice(task):
    usual = GUIDE.tasks[task]
    need = Need(task=usual, text_bytes=4_000, max_output_tokens=usual.output_tokens)
    everyone = frozenset({"openai", "anthropic", "google"})
    chain = Router(GUIDE).plan(need, World(providers=everyone, day=DAY)).chain
    assert one(GUIDE, (task, 1, 1_000, usual.output_tokens)).model == chain[0].id


def test_the_length_of_the_answers_decides_too():
    cheap_in = m("cheap-in", 1, 10, provider="a")
    cheap_out = m("cheap-out", 5, 2, provider="b")
    config = small(cheap_in, cheap_out, routing=replace(GUIDE.routing, baseline="a/cheap-in"))
    assert one(config, ("work", 1, 1_000, 100)).model == "a/cheap-in"
    assert one(config, ("work", 1, 1_000, 5_000)).model == "b/cheap-out"


def with_batch(name="m", *, live=10, batch=5, tier=None, tier_batch=None):
    """One model at these dollars per million tokens, and a task that can wait."""

    def rates(dollars):
        return None if dollars is None else Rates(input=dollars * 10**6, output=dollars * 10**6)

    tiers = (
        ()
        if tier is None
        else (PriceTier(above_input_tokens=200, rates=rates(tier), batch=rates(tier_batch)),)
    )
    price = Price(since="2024-01-01", rates=rates(live), batch=rates(batch), tiers=tiers)
    routing = replace(GUIDE.routing, baseline=f"a/{name}")
    return small(m(name, prices=(price,)), can_wait=True, routing=routing)


BATCHES = [
    ("batch rates", {}, 200, "batch", 5),
    ("no batch rates", {"batch": None}, 200, "sync", 10),
    ("the tier's own batch rates", {"tier": 20, "tier_batch": 11}, 201, "batch", 11),
    ("a tier without batch rates", {"tier": 20}, 201, "sync", 20),
    ("the tier begins above its figure", {"tier": 20, "tier_batch": 11}, 200, "batch", 5),
]


@pytest.mark.parametrize(("why", "prices", "tokens", "mode", "dollars"), BATCHES)
def test_a_batch_is_priced_at_batch_rates_where_there_are_any(why, prices, tokens, mode, dollars):
    line = one(with_batch(**prices), ("work", 3, tokens, 100), "hybrid+batch")
    assert (line.mode, line.cost) == (mode, 3 * (tokens + 100) * dollars * 10**6), why


def test_prices_are_those_of_the_day():
    old = Price(since="2024-01-01", rates=Rates(input=4, output=0))
    new = Price(since="2026-12-01", rates=Rates(input=9, output=0))
    routing = replace(GUIDE.routing, baseline="a/m")
    config = small(m("m", prices=(old, new)), routing=routing)
    assert one(config, ("work", 1, 10, 0), day="2026-11-30").cost == 40
    assert one(config, ("work", 1, 10, 0), day="2026-12-01").cost == 90


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o", "gpt-4o-2024-08-06"])
def test_any_of_a_models_names_is_a_baseline(name):
    single = by_name(load_workload("guide"), GUIDE, DAY, name)["single"]
    assert {line.model for line in single.lines} == {"openai/gpt-4o"}
    assert single.monthly == (1000 * 2_50 + 275 * 10_00) * CENT


def refused(*args, **more):
    with pytest.raises(ConfigError) as raised:
        strategies(*args, **more)
    return str(raised.value)


def test_an_unknown_task_is_told_with_its_line():
    told = refused(month(("clasification", 1, 1, 1)), GUIDE, DAY)
    assert told.startswith("month.toml:2, task:")
    assert "Did you mean classification?" in told


def test_an_unknown_baseline_is_refused():
    assert "hybridllm models" in refused(load_workload("guide"), GUIDE, DAY, "gpt-9")


def test_a_call_too_large_for_every_model_is_told_with_its_line():
    told = refused(month(("classification", 1, 3_000_000, 1)), GUIDE, DAY)
    assert told.startswith("month.toml:2, task: No model of classification can take such a call.")


def test_a_model_without_a_price_is_told():
    config = small(m("m", prices=()), routing=replace(GUIDE.routing, baseline="a/m"))
    assert "a/m has no known price on 2026-04-20" in refused(month(("work", 1, 1, 1)), config, DAY)


BELOW = [
    (SONNET, ["complex_reasoning"]),
    (OPUS, []),
    (MINI, ["analysis", "code_generation", "complex_reasoning"]),
]


@pytest.mark.parametrize(("model", "tasks"), BELOW)
def test_where_a_single_model_is_not_as_good_as_asked(model, tasks):
    assert below_bar(load_workload("guide"), GUIDE, model) == tasks


def test_a_model_of_which_nothing_is_known_meets_no_bar_but_none():
    config = small(m("m"), bar=0.5)
    assert below_bar(month(("work", 1, 1, 1)), config, "a/m") == ["work"]
    assert below_bar(month(("work", 1, 1, 1)), small(m("m")), "a/m") == []


SIZE = st.integers(0, 60_000)
LINES = st.lists(
    st.tuples(st.sampled_from(sorted(GUIDE.tasks)), st.integers(0, 10**9), SIZE, SIZE), max_size=6
)


@given(lines=LINES)
def test_any_month(lines):
    """Batches never cost more; what one model costs does not depend on the split into lines; all
    are integers and none is negative."""
    found = by_name(month(*lines), GUIDE, DAY)
    assert tuple(found) == STRATEGIES
    assert 0 <= found["hybrid+batch"].monthly <= found["hybrid"].monthly
    calls = sum(calls * tokens for _, calls, tokens, _ in lines)
    out = sum(calls * tokens for _, calls, _, tokens in lines)
    assert found["single"].monthly == calls * 3_000_000 + out * 15_000_000
    for strategy in found.values():
        assert [line.task for line in strategy.lines] == [task for task, *_ in lines]
        assert all(isinstance(line.cost, int) for line in strategy.lines)


@given(lines=LINES, times=st.integers(1, 1000))
def test_n_times_the_calls_cost_exactly_n_times(lines, times):
    once = strategies(month(*lines), GUIDE, DAY)
    more = strategies(month(*((t, c * times, i, o) for t, c, i, o in lines)), GUIDE, DAY)
    assert [s.monthly * times for s in once] == [s.monthly for s in more]

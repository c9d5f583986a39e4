"""The figures by which a plan looks at all models at once say what the limits say in words."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hybridllm.routing.candidates import Tables
from hybridllm.routing.cost import DayPrices
from hybridllm.routing.filters import ALL_CHECKS
from hybridllm.routing.looking import Looker
from hybridllm.routing.sheets import Sheets
from tests.routing.build import need
from tests.routing.test_properties import needs, setups, worlds

moments = st.fixed_dictionaries(
    {
        "latency_ms": st.just({}) | st.just({"a/m0": 900, "b/m1": 900, "c/m2": 90}),
        "tokens_per_kbyte": st.just({}) | st.just({"prose": {"a/m0": 350, "b/m1": 10}}),
        "shared_tokens": st.sampled_from([0, 300]),
        "warm_model": st.sampled_from([None, "a/m0", "b/m1"]),
        "warm_tokens": st.sampled_from([0, 200]),
    }
)


@settings(deadline=None, max_examples=150)
@given(
    setups(),
    needs,
    worlds,
    moments,
    st.sampled_from([None, 500]),
    st.booleans(),
    st.sampled_from(["prose", "json"]),
    st.sampled_from([1, 3]),
)
def test_both_ways_to_look_see_the_same(setup, asked, around, moment, most, batch, kind, choices):
    around = replace(around, **moment)
    wanted = need(setup, **asked)
    wanted.task = replace(wanted.task, max_latency_ms=most)
    wanted.batch, wanted.kind, wanted.choices = batch, kind, choices
    table, prices = Tables(setup)[wanted.task.name], DayPrices(frozenset())
    sheet = Sheets().of(table, wanted, around, prices.on(around.day))
    looker = Looker(ALL_CHECKS, wanted, around, prices)
    assert looker.over(sheet) == [looker.look(one) for one in table.listed]

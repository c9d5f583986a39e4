"""The report: bills by hand to the picodollar, the router's own decision, levers and what-ifs."""

import pytest

from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError
from hybridllm.planning.audit import audit
from hybridllm.planning.audit.page import render
from hybridllm.planning.audit.starter import starter, task_name
from hybridllm.routing import Need, Router, World
from tests.planning.audit import samples
from tests.planning.audit.build import CONFIG, DAY, reported

GUIDE = load_config(env={"HYBRIDLLM_CONFIG": ""}, preset="guide")
HEADER = "model,task,requests,input_tokens,output_tokens,timestamp\n"
MONTH = HEADER + (
    "claude-sonnet-4-6,classification,500000,250000000,25000000,2026-04-20\n"
    "claude-sonnet-4-6,analysis,100000,500000000,100000000,2026-04-20\n"
    "claude-sonnet-4-6,code_generation,50000,150000000,100000000,2026-04-20\n"
    "claude-sonnet-4-6,complex_reasoning,10000,100000000,50000000,2026-04-20\n"
)
CENT = 10**10
BYTES = 3000 * 1000 // 225
"""Of 3,000 tokens of gpt-4o, which makes 225 of a thousand bytes."""


@pytest.fixture
def month(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(MONTH)
    return audit([str(path)], GUIDE, "2026-04-20")


def test_the_guides_month_as_an_export_gives_the_guides_figures(month):
    assert month.bill == month.now == 7125_00 * CENT
    assert month.hybrid == 5377_50 * CENT
    assert month.batched == 4376_25 * CENT
    assert month.saving == 2748_75 * CENT
    assert [(line.name, list(line.routed), line.hybrid) for line in month.tasks] == [
        ("analysis", ["google/gemini-2.5-pro"], 1625_00 * CENT),
        ("code_generation", ["anthropic/claude-sonnet-4-6"], 1950_00 * CENT),
        ("classification", ["openai/gpt-4o-mini"], 52_50 * CENT),
        ("complex_reasoning", ["anthropic/claude-opus-4-7"], 1750_00 * CENT),
    ]
    assert month.batch.saving == (26_25 + 975_00) * CENT
    assert (month.batch.eligible_calls, month.batch.calls) == (550_000, 660_000)
    assert any("complex_reasoning cost more" in note for note in month.notes)


def test_where_calls_go_is_the_routers_own_decision(tmp_path):
    rows = "".join(f"gpt-4o,{task},1,3000,400,2026-11-01\n" for task in CONFIG.tasks)
    found = reported(tmp_path / "usage.csv", HEADER + rows)
    everyone = frozenset({"openai", "anthropic", "google"})
    assert len(found.tasks) == len(CONFIG.tasks)
    for line in found.tasks:
        need = Need(task=CONFIG.tasks[line.task], text_bytes=BYTES, max_output_tokens=400)
        world = World(providers=everyone, day=DAY, output_tokens={line.task: 400})
        assert list(line.routed) == [Router(CONFIG).plan(need, world).chain[0].id]


def test_each_row_is_priced_at_its_own_day(tmp_path):
    """o3 was 10/40 before 2025-06-10, and is 2/8 since."""
    model = CONFIG.catalog.models["openai/o3"]
    before, after = (price.rates for price in model.prices[:2])
    text = HEADER + "o3,general,1,100,10,2025-06-09\no3,general,1,100,10,2025-06-10\n"
    found = reported(tmp_path / "usage.csv", text)
    old = 100 * before.input + 10 * before.output
    new = 100 * after.input + 10 * after.output
    assert found.bill == old + new and old != new
    assert found.now == 2 * new
    assert any("own prices" in note for note in found.notes)


def test_a_tier_reprices_the_calls_above_it_alone(tmp_path):
    text = HEADER + "gemini-2.5-pro,general,1,200000,10,\ngemini-2.5-pro,general,1,200001,10,\n"
    found = reported(tmp_path / "usage.csv", text)
    below = 200_000 * 1_250_000 + 10 * 10_000_000
    above = 200_001 * 2_500_000 + 10 * 15_000_000
    assert found.bill == below + above
    assert any("2 rows have no date" in note for note in found.notes)


def test_cached_and_written_input_at_its_own_rates(tmp_path):
    found = reported(tmp_path / "usage.csv", samples.ANTHROPIC_CSV)
    live = 1500 * 3_000_000 + 500 * 3_750_000 + 1000 * 6_000_000 + 200 * 300_000 + 500 * 15_000_000
    batch = 100 * 1_500_000 + 10 * 7_500_000
    assert found.bill == live + batch
    assert found.tasks[0].how == "unknown"
    assert any(made.name == "call sizes" for made in found.assumptions)


def test_the_files_own_cost_stands_beside_ours(tmp_path):
    text = (
        "model,input_tokens,output_tokens,cost_usd\ngpt-4o,1000,100,0.0035\ngpt-4o,1000,100,0.01\n"
    )
    (line,) = reported(tmp_path / "usage.csv", text).models
    assert line.bill == line.stated_bill == 2 * (1000 * 2_500_000 + 100 * 10_000_000)
    assert line.stated == 13_500_000_000


def test_a_model_that_is_not_known_counts_at_its_stated_cost_or_not_at_all(tmp_path):
    header = "model,task,input_tokens,output_tokens,cost_usd\n"
    stated = reported(tmp_path / "a.csv", header + "llama,general,1000,100,0.5\n")
    assert (stated.bill, stated.now, stated.unpriced_rows) == (0, 5 * 10**11, 0)
    silent = reported(tmp_path / "b.csv", header + "llama,general,1000,100,\n")
    assert (silent.now, silent.hybrid, silent.unpriced_rows) == (0, 0, 1)
    assert any("llama" in note for note in silent.notes)


def test_what_a_provider_charged_stands_beside_the_usage(tmp_path):
    usage, costs = tmp_path / "usage.csv", tmp_path / "costs.csv"
    usage.write_text(samples.ANTHROPIC_CSV)
    costs.write_text(samples.ANTHROPIC_COSTS_CSV)
    found = audit([str(usage), str(costs)], CONFIG, DAY)
    (one,) = found.charged
    assert (one.provider, one.stated, one.bill) == ("anthropic", 124 * CENT, found.bill)


def test_embeddings_stay_where_they_are(tmp_path):
    text = "model,input_tokens,output_tokens\ngemini-embedding-001,1000,0\n"
    found = reported(tmp_path / "usage.csv", text)
    assert found.now == found.batched == found.bill > 0
    assert found.assumptions == []


def test_calls_that_are_batched_already_save_nothing_by_it(tmp_path):
    text = (
        "model,task,input_tokens,output_tokens,batch\n"
        "gpt-4o,classification,1000,10,true\ngpt-4o,classification,1000,10,false\n"
    )
    found = reported(tmp_path / "usage.csv", text)
    assert (found.batch.eligible_calls, found.batch.calls) == (1, 2)
    (line,) = found.tasks
    assert line.batched == 2 * (line.hybrid - line.batched)  # one at half of the live rate


def test_assumptions_are_ordered_by_what_they_change_and_consistent(month):
    assert [abs(a.change) for a in month.assumptions] == sorted(
        (abs(a.change) for a in month.assumptions), reverse=True
    )
    for made in month.assumptions:
        assert made.saving == month.saving + made.change
    waiting = next(a for a in month.assumptions if a.name == "waiting")
    assert waiting.change == -month.batch.saving // 2


def test_caches_pay_where_calls_are_long_and_frequent_and_in_no_total(tmp_path):
    text = HEADER + "claude-sonnet-4-6,code_review,{n},{i},{o},2026-11-01\n"
    n = 28_800  # a hundred in each five minutes
    often = reported(tmp_path / "a.csv", text.format(n=n, i=10_000 * n, o=500 * n))
    seldom = reported(tmp_path / "b.csv", text.format(n=10, i=100_000, o=5_000))
    assert often.cache.saving > 0 and not often.cache.measured
    assert often.cache.possible == 0.5 and often.cache.seen == 0
    assert (seldom.cache.saving, seldom.cache.possible) == (0, 0)
    assert often.saving == often.now - often.batched


def test_a_task_for_a_label_that_is_none_is_refused(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(MONTH)
    with pytest.raises(ConfigError, match='There is no task "nothing"'):
        audit([str(path)], CONFIG, DAY, mapping={"x": "nothing"})


def test_a_file_of_faulty_rows_alone_is_reported_as_that(tmp_path):
    found = reported(tmp_path / "usage.csv", HEADER + "gpt-4o,general,1,x,1,\n")
    assert (found.rows, found.bill, found.tasks, found.assumptions) == (0, 0, [], [])
    assert found.files[0].bad == 1


ODD = (
    "model,task,input_tokens,output_tokens,timestamp\n"
    'claude-opus-4-7,"Ticket <b>""Triage""</b> \\ é",3000,40,2026-11-01\n'
    "gpt-4o,classification,3000,40,2026-11-01\n"
    "gpt-4o,my.label,3000,4000,2026-11-01\n"
)


def test_the_starter_loads_and_routes_each_task_as_the_audit_said(tmp_path):
    found = reported(tmp_path / "usage.csv", ODD)
    path = tmp_path / "hybridllm.toml"
    path.write_text(starter(found, CONFIG), "utf-8")
    loaded = load_config(str(path), env={})
    assert loaded.routing.baseline == found.models[0].id
    everyone = frozenset({"openai", "anthropic", "google"})
    assert len(found.tasks) == 3
    for line in found.tasks:
        task = loaded.tasks[task_name(line.name)]
        assert task.output_tokens == line.output_tokens // line.calls
        need = Need(task=task, text_bytes=BYTES)
        plan = Router(loaded).plan(need, World(providers=everyone, day=DAY))
        assert [plan.chain[0].id] == list(line.routed)


def test_the_page_holds_the_figures_escaped_and_fetches_nothing(tmp_path):
    found = reported(tmp_path / "usage.csv", ODD)
    text = render(found, lambda amount: f"<{amount}>")
    for figure in (found.bill, found.batched, found.saving):
        assert f"&lt;{figure}&gt;" in text
    assert "<b>&quot;" not in text and "Ticket &lt;b&gt;" in text
    assert "<svg" in text
    for outside in ("http:", "https:", "<script", "@import", "src="):
        assert outside not in text

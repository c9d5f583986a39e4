"""The review finds by itself what changed since April 2026, and proposes what the router says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import msgspec
import pytest
from sqlalchemy import Engine

from hybridllm.catalog.load import load_catalog
from hybridllm.catalog.structs import Quality, Usage
from hybridllm.cli.review_document import document
from hybridllm.config_file import load_config, load_preset
from hybridllm.money import PICODOLLARS
from hybridllm.pricing import price_at
from hybridllm.quality import Table
from hybridllm.reports.review import Review, review
from hybridllm.reports.review_catalog import price_changes, uses_of
from hybridllm.reports.review_mix import of_ledger
from hybridllm.reports.review_pages import html, markdown, sections
from hybridllm.reports.review_peers import assume, line_of
from hybridllm.reports.review_store import due_at, keep, last, review_if_due
from hybridllm.reports.review_words import in_out, price_words
from tests.ledger.samples import AT, attempt
from tests.reports.conftest import Record

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
GUIDE = load_preset("guide")
CURRENT = load_catalog("current")
DEFAULT = load_preset("default")


@pytest.fixture(scope="module")
def april() -> Review:
    """The guide's own policy on the guide's month, reviewed in November."""
    return review(GUIDE, NOW)


def routes(found: Review) -> dict[str, object]:
    return {route.task: route for route in found.routes}


# -- what the catalogues say


def test_it_finds_the_prices_that_are_not_what_the_guide_says(april: Review) -> None:
    found = {one.model: (in_out(one.before), in_out(one.after), one.since) for one in april.prices}
    assert found == {
        "openai/o3": ("10.00/40.00", "2.00/8.00", "2025-06-10"),
        "google/gemini-2.5-flash": ("0.15/0.60", "0.30/2.50", ""),
        "google/gemini-2.5-pro": ("1.25/10.00", "1.25/10.00", ""),  # a tier above 200K
    }
    (pro,) = [one for one in april.prices if one.model.endswith("pro")]
    assert "2.50/15.00 above 200,000 input" in price_words(pro, april.reference)


def test_it_finds_that_o3_is_about_to_be_retired_and_whom_that_touches(april: Review) -> None:
    (o3,) = april.withdrawals
    assert (o3.model, o3.on, o3.days) == ("openai/o3", "2026-12-11", 16)
    assert o3.use.candidate_of == ("specialized_reasoning",)
    assert o3.use.fallback_of == ("complex_coding", "complex_reasoning")
    route = routes(april)["specialized_reasoning"]
    assert route.must == "o3 is withdrawn on 2026-12-11; then claude-opus-4-7 answers"
    assert [(one.since, one.model) for one in route.ahead] == [
        ("2026-12-11", "anthropic/claude-opus-4-7")
    ]
    best = route.proposal
    assert best.value >= route.bar and best.saving < 0, "dearer, but as good, and there to stay"


def test_it_knows_the_prices_that_change_on_a_known_day(april: Review) -> None:
    found = [(one.since, one.model, in_out(one.before), in_out(one.after)) for one in april.future]
    assert found == [
        ("2026-12-01", "google/gemini-4-argon", "2.00/10.00", "4.00/20.00"),
        *(
            ("2027-01-01", f"google/gemini-3.{minor}-flash", "0.75/3.75", "1.50/7.50")
            for minor in (6, 7, 8)
        ),
    ]
    assert all(one.future for one in april.future)


def test_it_finds_limits_that_changed(april: Review) -> None:
    assert [(c.model, c.what, c.before, c.after) for c in april.limits] == [
        ("anthropic/claude-sonnet-4-6", "max_output_tokens", 64_000, 128_000)
    ]


def test_a_policy_on_todays_catalogue_is_told_of_the_changes_of_the_last_days() -> None:
    uses = uses_of(DEFAULT.tasks.values(), "openai/o3") | uses_of((), "openai/gpt-5.6-luna")
    then = price_changes(uses, CURRENT, CURRENT, "2026-05-01", "2026-11-25")
    assert [(one.model, one.since) for one in then] == [("openai/gpt-5.6-luna", "2026-07-30")]
    then = price_changes(uses, CURRENT, CURRENT, "2025-06-01", "2025-12-01")
    assert [(one.model, one.since) for one in then] == [("openai/o3", "2025-06-10")]
    assert review(DEFAULT, NOW).prices == ()


def test_every_dated_price_of_the_source_is_in_the_catalogue() -> None:
    snapshot = pytest.importorskip("genai_prices.data_snapshot").get_snapshot()
    seen = 0
    for provider in snapshot.providers:
        for priced in provider.models:
            model = CURRENT.models.get(f"{provider.id}/{priced.id}")
            if model is None or not isinstance(priced.prices, list):
                continue
            for dated in priced.prices:
                start = (
                    dated.constraint.start_date.isoformat() if dated.constraint else "2020-01-01"
                )
                ours, theirs = price_at(model, start), dated.prices.input_mtok
                assert ours is not None
                base = getattr(theirs, "base", theirs)
                assert ours.rates.input == base * 1_000_000, (model.id, start)
                seen += 1
    assert seen > 20
    assert any(p.since > CURRENT.as_of for m in CURRENT.models.values() for p in m.prices)


# -- routes


def test_newer_models_undercut_the_guides_routes(april: Review) -> None:
    usd = {
        route.task: (route.model, route.cost / PICODOLLARS, best.model, best.cost / PICODOLLARS)
        for route in april.changes
        if route.real and (best := route.proposal)
    }
    assert usd == {
        "classification": ("openai/gpt-4o-mini", 52.5, "google/gemini-2.5-flash-lite", 35.0),
        "analysis": ("google/gemini-2.5-pro", 1625.0, "openai/gpt-6.1-terra", 1000.0),
        "code_generation": ("anthropic/claude-sonnet-4-6", 1950.0, "openai/gpt-6.1-terra", 650.0),
        "complex_reasoning": ("anthropic/claude-opus-4-7", 1750.0,
                              "anthropic/claude-opus-5-5", 1400.0),
    }  # fmt: skip
    assert april.believed == april.today == 5377_50 * 10**10
    assert april.proposed == 3085 * PICODOLLARS
    code = {rival.model for rival in routes(april)["code_generation"].rivals}
    assert {"anthropic/claude-sonnet-5", "openai/gpt-6-sol"} <= code


def test_what_a_policy_believes_is_told_apart_from_what_it_pays(april: Review) -> None:
    route = routes(april)["budget_analysis"]  # on Gemini 2.5 Flash, per 1,000 calls of 1,000 each
    assert (route.believed, route.cost) == (75 * 10**10, 280 * 10**10)
    assert not route.real


def test_every_proposal_says_as_how_good_as_whom_it_is_taken(april: Review) -> None:
    known = Table(GUIDE.quality)
    for route in april.routes:
        for best in [] if route.proposal is None else [route.proposal, *route.rivals]:
            like = best.assumption
            if like is None:
                assert known.find(best.model, GUIDE.tasks[route.task]) is not None
                continue
            peer = known.find(like.comparable, GUIDE.tasks[route.task])
            assert peer is not None and peer.lower == like.comparable_value
            assert best.value <= like.comparable_value


def test_a_model_that_is_cheap_for_five_more_weeks_does_not_win_by_that(april: Review) -> None:
    route = routes(april)["analysis"]
    (flash,) = route.rivals
    assert (flash.model, flash.cost) == ("google/gemini-3.8-flash", 750 * PICODOLLARS)
    assert flash.cost < route.proposal.cost
    assert [(one.since, one.proposed) for one in flash.outlook] == [
        ("2027-01-01", 1500 * PICODOLLARS)
    ]


def test_a_policy_of_today_has_nothing_to_change_but_is_told_what_comes() -> None:
    found = review(DEFAULT, NOW)
    assert found.changes == []
    ahead = {route.task: route.ahead for route in found.routes if route.ahead}
    assert set(ahead) == {"analysis", "general"}
    assert [(one.since, one.model) for one in ahead["analysis"]] == [
        ("2027-01-01", "openai/gpt-6.1-terra")
    ]


def test_a_measured_quality_is_no_assumption(tmp_path) -> None:
    file = tmp_path / "hybridllm.toml"
    entry = (
        '[[quality]]\nmodel = "{}"\ntask = "analysis"\nvalue = {}\nlower = {}\nsamples = 200\n'
        'at = "2026-11-20"\n'
    )
    file.write_text(
        'preset = "guide"\ncatalog = "current"\n'
        + entry.format("gpt-6-luna", 0.97, 0.94)
        + entry.format("gemini-2.5-pro", 0.90, 0.86)
    )
    found = review(load_config(str(file), env={}), NOW)
    route = routes(found)["analysis"]
    assert (route.proposal.model, route.proposal.assumption) == ("openai/gpt-6-luna", None)
    assert route.proposal.samples == 200
    pro, luna = found.moved
    assert (luna.assumed, luna.meets) == (None, True)
    assert (pro.assumed, pro.lower, pro.meets) == (0.92, 0.86, False)
    assert (found.measured, found.reference) == (2, found.current)


def test_a_price_of_ones_own_is_believed(tmp_path) -> None:
    file = tmp_path / "hybridllm.toml"
    own = '[models."openai/o3"]\nprice = { input = 1, output = 1 }\n'
    file.write_text(f'preset = "guide"\n{own}')
    found = review(load_config(str(file), env={}), NOW)
    assert "openai/o3" not in {one.model for one in found.prices}


# -- what may be assumed


@pytest.mark.parametrize(
    ("model", "line", "version"),
    [
        ("anthropic/claude-sonnet-4-6", "claude-sonnet", (4, 6)),
        ("google/gemini-3.8-flash", "gemini-flash", (3, 8)),
        ("google/gemini-2.5-flash-lite", "gemini-flash-lite", (2, 5)),
        ("openai/gpt-4o-mini", "gpt-mini", (4,)),
        ("openai/gpt-4o-2024-11-20", "gpt", (4,)),
        ("openai/o3", "o", (3,)),
        ("openai/gpt-6-luna", "gpt-luna", (6,)),
    ],
)
def test_models_are_of_lines(model: str, line: str, version: tuple[int, ...]) -> None:
    found = line_of(CURRENT.models[model])
    assert (found.name[1], found.version) == (line, version)


def test_the_newer_of_a_line_is_taken_to_be_as_good_and_strangers_are_not_judged() -> None:
    known, task = Table(GUIDE.quality), GUIDE.tasks["code_generation"]
    like = assume(CURRENT.models["anthropic/claude-sonnet-5"], task, known, GUIDE.catalog)
    assert like is not None
    assert (like.comparable, like.value) == ("anthropic/claude-sonnet-4-6", 0.93)
    older = CURRENT.models["anthropic/claude-sonnet-4-5"]
    assert assume(older, task, known, GUIDE.catalog) is None
    stranger = CURRENT.models["openai/gpt-5.4-nano"]
    assert assume(stranger, task, known, GUIDE.catalog) is None


def test_nobody_is_taken_to_be_better_than_hybridllms_own_table_has_it() -> None:
    known = Table([Quality(model="openai/o3", task="analysis", value=1.0, lower=1.0)])
    like = assume(
        CURRENT.models["openai/gpt-6-luna"], GUIDE.tasks["analysis"], known, GUIDE.catalog
    )
    assert like is not None and (like.comparable, like.value) == ("openai/o3", 0.82)


# -- the real mix


def test_the_mix_is_the_last_thirty_days(engine: Engine, record: Record) -> None:
    end = datetime.fromtimestamp(AT / 1e6, UTC) + timedelta(days=40)
    hour = 3_600_000_000
    record(
        attempt("old", at=AT, input_tokens=999),
        attempt("a", at=AT + 15 * 24 * hour, input_tokens=1000, output_tokens=100, cost=7),
        attempt("b", at=AT + 16 * 24 * hour, input_tokens=500, cache_read_tokens=500,
                output_tokens=300, cost=5),
    )  # fmt: skip
    mix = of_ledger(engine, GUIDE.catalog, end)
    assert mix is not None and (mix.actual, mix.alike) == (12, False)
    (line,) = mix.lines
    assert (line.task, line.calls, line.input_tokens, line.output_tokens) == (
        *("classification", 2, 1000, 200),
    )
    assert line.parts[0].usage == Usage(input_tokens=1500, cache_read_tokens=500, output_tokens=400)


def test_a_young_ledger_is_stretched_to_a_month(engine: Engine, record: Record) -> None:
    record(attempt("a", cost=7))
    mix = of_ledger(
        engine, GUIDE.catalog, datetime.fromtimestamp(AT / 1e6, UTC) + timedelta(days=1)
    )
    assert mix is not None and (mix.lines[0].calls, mix.actual) == (30, 210)
    assert "stretched" in mix.source


def test_the_saving_is_of_the_real_mix_in_each_models_own_tokens(
    engine: Engine, record: Record
) -> None:
    record(*(attempt(f"r{i}", input_tokens=2000, output_tokens=100) for i in range(10)))
    start = datetime.fromtimestamp(AT / 1e6, UTC)
    found = review(GUIDE, start + timedelta(days=1), engine)
    route = routes(found)["classification"]
    assert (route.real, route.calls, route.input_tokens) == (True, 300, 2000)
    assert route.cost == 300 * (2000 * 150_000 + 100 * 600_000)
    # Google makes 250 tokens of what OpenAI makes 225 of.
    tokens_in, tokens_out = 300 * 2000 * 250 // 225, 300 * 100 * 250 // 225
    lite = next(r for r in route.rivals if r.model == "google/gemini-2.5-flash-lite")
    assert lite.cost == tokens_in * 100_000 + tokens_out * 400_000
    assert route.proposal.model == "openai/gpt-6-luna"
    assert route.proposal.cost == 300 * (2000 * 100_000 + 100 * 500_000)
    assert found.today - found.proposed == route.proposal.saving


def test_nothing_answered_means_the_workload(engine: Engine) -> None:
    assert review(GUIDE, NOW, engine).mix.startswith("the workload guide")


# -- kept in the store


def test_a_review_is_kept_and_read_back_whole(engine: Engine, april: Review) -> None:
    with pytest.raises(Exception, match="No review has been kept"):
        last(engine)
    assert keep(engine, april, "cli", NOW)
    assert keep(engine, msgspec.structs.replace(april, preset="x"), "serve", NOW)
    found, origin = last(engine)
    assert (found.preset, origin) == ("x", "serve")
    assert msgspec.structs.replace(found, preset="guide") == april


def test_a_review_is_due_a_month_after_the_last_or_after_the_first_call(
    engine: Engine, record: Record
) -> None:
    month = timedelta(days=30)
    start = datetime.fromtimestamp(AT / 1e6, UTC)
    assert due_at(engine, month) is None
    assert review_if_due(engine, GUIDE, NOW + 10 * month) is None
    record(attempt("a"))
    assert due_at(engine, month) == start + month
    assert review_if_due(engine, GUIDE, start + month - timedelta(seconds=1)) is None
    assert review_if_due(engine, GUIDE, start + month) is not None
    assert last(engine)[1] == "serve"
    assert due_at(engine, month) == start + 2 * month
    assert review_if_due(engine, GUIDE, start + month + timedelta(days=1)) is None


def test_of_two_gateways_one_keeps_it(engine: Engine, april: Review) -> None:
    day = timedelta(days=1)
    assert keep(engine, april, "serve", NOW, every=day)
    assert not keep(engine, april, "serve", NOW + timedelta(seconds=3), every=day)
    assert keep(engine, april, "serve", NOW + day, every=day)


# -- as text


def test_every_form_tells_every_finding(april: Review) -> None:
    page, text = html(april), markdown(april)
    for finding in ("2.00/8.00", "0.30/2.50", "2026-12-11", "gpt-6.1-terra", "$3,085.00"):
        assert finding in page and finding in text
    assert len(sections(april)) == text.count("\n## ") == page.count("<h2>")
    assert all(len(row) == len(columns) for _, columns, rows in sections(april) for row in rows)
    told = json.loads(msgspec.json.encode(document(april)))
    assert told["saving_usd"] == "2292.5"
    assert {one["model"] for one in told["withdrawals"]} == {"openai/o3"}


def test_the_page_needs_nothing_but_itself(april: Review) -> None:
    class Reader(HTMLParser):
        fetched: list[str] = []  # noqa: RUF012 - one reader

        def handle_starttag(self, tag, attrs):
            self.fetched += [tag for name, _ in attrs if name in ("src", "href")]

    reader = Reader()
    reader.feed(html(april))
    assert reader.fetched == [] and "@import" not in html(april)

"""The guide of April 2026, line by line: what it says of routing, the preset `guide` does."""

import pytest
from msgspec.structs import replace

from hybridllm.catalog.structs import Usage
from hybridllm.config_file import load_config
from hybridllm.pricing import cost_of
from hybridllm.routing import Need, Router, World
from tests.routing.build import DAY

CONFIG = load_config(preset="guide", env={"HYBRIDLLM_CONFIG": ""})
ROUTER = Router(CONFIG)
EVERYONE = frozenset({"openai", "anthropic", "google"})

MINI, GPT_4O, O3 = "openai/gpt-4o-mini", "openai/gpt-4o", "openai/o3"
FLASH, PRO = "google/gemini-2.5-flash", "google/gemini-2.5-pro"
SONNET, OPUS = "anthropic/claude-sonnet-4-6", "anthropic/claude-opus-4-7"

SIMPLE = ("classification", "extraction", "templated_generation")
CODE = ("code_generation", "code_review", "refactoring")


def plan(task, tokens=500, router=ROUTER, world=None, **asked):
    """The plan for an input of about so many tokens (four bytes each)."""
    need = Need(task=CONFIG.tasks[task], text_bytes=4 * tokens, **asked)
    return router.plan(need, world or World(providers=EVERYONE, day=DAY))


def chosen(task, tokens=500, **asked):
    return plan(task, tokens, **asked).chain[0].id


def with_task(task, **changes):
    """A router in which one task differs."""
    tasks = {**CONFIG.tasks, task: replace(CONFIG.tasks[task], **changes)}
    return Router(replace(CONFIG, tasks=tasks))


SETUP = [
    ("Simple classify/extract: GPT-4o mini", "classification", MINI),
    ("Simple classify/extract: GPT-4o mini", "extraction", MINI),
    ("Budget analysis, long docs: Gemini 2.5 Flash", "budget_analysis", FLASH),
    ("Mid-tier code and reasoning: Claude Sonnet 4.6", "code_generation", SONNET),
    ("Mid-tier general purpose: GPT-4o", "general", GPT_4O),
    ("Premium coding tasks: Claude Opus 4.7", "complex_coding", OPUS),
    ("Specialized reasoning: o3", "specialized_reasoning", O3),
]


@pytest.mark.parametrize(("line", "task", "model"), SETUP)
def test_the_setup_table(line, task, model):
    assert chosen(task) == model, line


PRICES = [
    (MINI, "0.15/0.60", 150_000, 600_000),
    (FLASH, "0.15/0.60", 150_000, 600_000),
    (SONNET, "3.00/15.00", 3_000_000, 15_000_000),
    (GPT_4O, "2.50/10.00", 2_500_000, 10_000_000),
    (OPUS, "5.00/25.00", 5_000_000, 25_000_000),
    (O3, "10.00/40.00", 10_000_000, 40_000_000),
    (PRO, "1.25/10", 1_250_000, 10_000_000),
]


@pytest.mark.parametrize(("model", "line", "input", "output"), PRICES)
def test_the_price_column(model, line, input, output):
    rates = CONFIG.catalog.models[model].prices[-1].rates
    assert (rates.input, rates.output) == (input, output), line


MINI_WHEN = [
    ("Task is classification", "classification", {}, MINI),
    ("... extraction", "extraction", {}, MINI),
    ("... or templated generation", "templated_generation", {}, MINI),
    ("Input under 128K tokens", "classification", {"tokens": 120_000}, MINI),
    ("... and output under 16K tokens", "extraction", {"max_output_tokens": 16_000}, MINI),
    ("output past 16K is not its", "extraction", {"max_output_tokens": 17_000}, FLASH),
]
FLASH_WHEN = [
    *(
        ("Same simple tasks but input exceeds 128K", task, {"tokens": 150_000}, FLASH)
        for task in SIMPLE
    ),
    ("Need 1M context at budget pricing", "budget_analysis", {"tokens": 900_000}, FLASH),
]
SONNET_WHEN = [
    *(("Code generation, review, or refactoring", task, {}, SONNET) for task in CODE),
    ("Need 1M context with strong reasoning", "code_review", {"tokens": 600_000}, SONNET),
    ("... for general work too", "general", {"tokens": 600_000}, SONNET),
    ("Tool use", "agentic", {"tools": True}, SONNET),
    ("... or multi-step agentic workflows", "agentic", {}, SONNET),
]
OPUS_WHEN = [
    ("Complex multi-file coding", "complex_coding", {}, OPUS),
    *(("Need 128K output tokens", task, {"max_output_tokens": 128_000}, OPUS) for task in CODE),
    ("past Sonnet's limit by one", "code_generation", {"max_output_tokens": 64_001}, OPUS),
    ("up to Sonnet's limit", "code_generation", {"max_output_tokens": 64_000}, SONNET),
    ("Highest quality reasoning", "complex_reasoning", {}, OPUS),
    ("... with long context", "complex_reasoning", {"tokens": 700_000}, OPUS),
]


@pytest.mark.parametrize(
    ("line", "task", "asked", "model"), [*MINI_WHEN, *FLASH_WHEN, *SONNET_WHEN, *OPUS_WHEN]
)
def test_route_to_it_when(line, task, asked, model):
    assert chosen(task, **asked) == model, line


@pytest.mark.parametrize("task", SIMPLE)
def test_quality_threshold_is_90_percent_not_99(task):
    assert CONFIG.tasks[task].bar == 0.90
    strict = plan(task, router=with_task(task, bar=0.99))
    assert strict.chain[0].id == SONNET
    assert MINI not in [model.id for model in strict.chain]


def test_no_shared_context_to_cache_else_it_stays_where_it_is_warm():
    assert chosen("general", 20_000) == GPT_4O
    shared = World(
        providers=EVERYONE, day=DAY, previous=SONNET, warm_model=SONNET, warm_tokens=19_000
    )
    assert plan("general", 20_000, world=shared).chain[0].id == SONNET
    # What is cheaper even at full price is the better choice still.
    assert plan("classification", 20_000, world=shared).chain[0].id == MINI


def test_shared_context_can_be_cached_for_90_percent_savings_on_repeated_input():
    rates = CONFIG.catalog.models[SONNET].prices[-1].rates
    assert rates.cache_read == rates.input // 10
    need = Need(task=CONFIG.tasks["code_generation"], text_bytes=400_000)
    cold = World(providers=EVERYONE, day=DAY)
    warm = World(providers=EVERYONE, day=DAY, warm_model=SONNET, warm_tokens=1_000_000)
    first, again = (
        {v.model: v.expected for v in ROUTER.explain(need, world).verdicts}[SONNET]
        for world in (cold, warm)
    )
    output = CONFIG.tasks["code_generation"].output_tokens * rates.output
    assert (again - output) * 10 == first - output


def test_google_cloud_ecosystem_integration_already_exists_in_your_stack():
    routing = replace(CONFIG.routing, ecosystem="google")
    router = Router(replace(CONFIG, routing=routing))
    for task in SIMPLE:
        assert plan(task, router=router).chain[0].id == FLASH
    assert plan("code_generation", router=router).chain[0].id == SONNET


def test_batch_processing_drops_opus_to_2_50_and_12_50():
    batch = CONFIG.catalog.models[OPUS].prices[-1].batch
    assert batch is not None and (batch.input, batch.output) == (2_500_000, 12_500_000)


THE_MATH = [
    ("Classification on GPT-4o mini: $52.50", "classification", 500_000, 500, 50, MINI, 52_50),
    ("Analysis on Gemini 2.5 Pro: $1,625", "analysis", 100_000, 5_000, 1_000, PRO, 1625_00),
    (
        "Coding on Claude Sonnet 4.6: $1,950",
        "code_generation",
        50_000,
        3_000,
        2_000,
        SONNET,
        1950_00,
    ),
    (
        "Complex on Claude Opus 4.7: $1,750",
        "complex_reasoning",
        10_000,
        10_000,
        5_000,
        OPUS,
        1750_00,
    ),
]
CENT = 10**10


@pytest.mark.parametrize(("line", "task", "calls", "tokens", "out", "model", "cents"), THE_MATH)
def test_the_maths_lines_go_where_it_says_and_cost_what_it_says(
    line, task, calls, tokens, out, model, cents
):
    first = plan(task, tokens, max_output_tokens=out).chain[0]
    assert first.id == model, line
    per_call = cost_of(first, Usage(input_tokens=tokens, output_tokens=out), DAY)
    assert per_call is not None and per_call * calls == cents * CENT, line


def test_its_sum_is_5377_50():
    assert sum(row[-1] for row in THE_MATH) == 5377_50


@pytest.mark.parametrize("task", CONFIG.tasks)
def test_no_single_outage_takes_down_a_task(task):
    chain = plan(task).chain
    assert chain[1].provider != chain[0].provider
    for provider in EVERYONE:
        assert plan(task, world=World(providers=EVERYONE - {provider}, day=DAY)).chain

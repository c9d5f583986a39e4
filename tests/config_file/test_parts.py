"""What a configuration is put together from: defaults, a preset, a file, the environment."""

import pytest

from hybridllm.catalog.load import load_catalog
from hybridllm.catalog.structs import Rates, Tier
from hybridllm.config import (
    BreakerConfig,
    Deadlines,
    LedgerConfig,
    RetryConfig,
    ServerConfig,
    WireConfig,
)
from hybridllm.config_file import PRESETS, load_config, resolve_providers
from hybridllm.config_file.load import KEYS

GUIDE = load_config(preset="guide", env={"HYBRIDLLM_CONFIG": ""})


# Where it is read from


def test_no_file_is_needed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = load_config(env={})
    assert (config.preset, config.path) == ("default", None)
    assert (config.server, config.ledger, config.retries, config.breaker, config.wire) == (
        ServerConfig(),
        LedgerConfig(),
        RetryConfig(),
        BreakerConfig(),
        WireConfig(),
    )


def test_a_path_goes_before_the_environment_and_that_before_the_working_directory(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    for name, port in (("hybridllm.toml", 1), ("env.toml", 2), ("option.toml", 3)):
        (tmp_path / name).write_text(f"[server]\nport = {port}")
    env = {"HYBRIDLLM_CONFIG": "env.toml"}
    assert load_config(env={}).server.port == 1
    assert load_config(env=env).server.port == 2
    found = load_config("option.toml", env=env)
    assert (found.server.port, found.path) == (3, "option.toml")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_loads_and_names_only_known_models_and_tasks(name):
    config = load_config(preset=name, env={"HYBRIDLLM_CONFIG": ""})
    models = config.catalog.models
    for task in config.tasks.values():
        assert {*task.candidates, *task.fallbacks} <= models.keys()
    assert {entry.model for entry in config.quality} <= models.keys()
    known = {*config.tasks, *(f"tier:{tier}" for tier in Tier)}
    assert {entry.task for entry in config.quality} <= known
    assert set(config.tier_tasks) == set(Tier)
    assert set(config.tier_tasks.values()) <= config.tasks.keys()
    assert config.routing.baseline in models and config.routing.default_task in config.tasks
    for tier, task in config.tier_tasks.items():
        assert config.tasks[task].tier == tier


def test_an_option_overrules_the_files_preset(load):
    text = 'preset = "guide"'
    assert load(text).catalog.as_of == "2026-04-01"
    assert load(text, preset="default").preset == "default"


def test_the_catalogue_may_be_another_than_the_presets(load):
    text = 'preset = "guide"\ncatalog = "current"'
    assert load(text).catalog.as_of == load_catalog("current").as_of


def test_a_byte_order_mark_and_windows_lines_are_no_mistake(load):
    assert load("\ufeff[server]\r\nport = 7\r\n").server.port == 7


# The file over the preset


def test_a_task_changes_key_by_key(load):
    task = load("[tasks.classification]\nbar = 0.95\noutput_tokens = 20", "guide").tasks[
        "classification"
    ]
    usual = GUIDE.tasks["classification"]
    assert (task.bar, task.output_tokens) == (0.95, 20)
    assert (task.candidates, task.fallbacks, task.tier, task.can_wait) == (
        usual.candidates,
        usual.fallbacks,
        usual.tier,
        usual.can_wait,
    )


def test_other_tasks_stay_and_new_ones_are_added(load):
    text = "[tasks.triage]\ntier = 'simple'\ncandidates = ['gpt-4o-mini', 'gpt-4o-2024-08-06']"
    tasks = load(text, "guide").tasks
    assert set(tasks) == {*GUIDE.tasks, "triage"}
    assert tasks["triage"].candidates == ("openai/gpt-4o-mini", "openai/gpt-4o")


def test_a_section_changes_key_by_key(load):
    routing = load("[routing]\ndefault_task = 'analysis'", "guide").routing
    assert (routing.default_task, routing.baseline) == ("analysis", GUIDE.routing.baseline)
    tiers = load("[tier_tasks]\nmid = 'analysis'", "guide").tier_tasks
    assert tiers == {**GUIDE.tier_tasks, Tier.MID: "analysis"}


def test_the_files_qualities_replace_the_presets_and_its_rules_come_first(load):
    said = "[[quality]]\nmodel = 'gpt-4o-mini'\ntask = 'tier:simple'\nvalue = 0.5\n"
    config = load(said + "[[rules]]\ntask = 'general'\ntools = true", "guide")
    found = [
        entry
        for entry in config.quality
        if (entry.model, entry.task) == ("openai/gpt-4o-mini", "tier:simple")
    ]
    assert [entry.value for entry in found] == [0.5]
    assert len(config.quality) == len(GUIDE.quality)
    assert config.rules[0].task == "general" and config.rules[1:] == GUIDE.rules


def test_a_measured_quality_counts_by_its_lower_bound_an_assumed_one_by_itself(load):
    said = "[[quality]]\nmodel = 'o3'\ntask = 'general'\nvalue = 0.9\n"
    assert load(said).quality[-1].lower == 0.9
    measured = load(said + "lower = 0.85\nsamples = 200").quality[-1]
    assert (measured.lower, measured.samples) == (0.85, 200)


def test_every_section_can_be_said(load):
    said = {
        "preset": '"guide"',
        "catalog": '"2026-04"',
        "rules": "[]",
        "quality": "[]",
        **dict.fromkeys(("server", "ledger", "routing", "retries", "breaker", "wire"), "{}"),
        **dict.fromkeys(("overhead", "review", "drift", "alerts", "batch", "caching"), "{}"),
        **dict.fromkeys(("response_cache",), "{}"),
        **dict.fromkeys(("providers", "models", "tier_tasks", "tasks", "prompts"), "{}"),
    }
    assert set(said) == set(KEYS)
    assert load("\n".join(f"{key} = {value}" for key, value in said.items())).preset == "guide"


# Models


def rates(load, text, model, preset="guide"):
    (price,) = load(text, preset).catalog.models[model].prices
    return price


def test_a_models_price_may_be_ones_own(load):
    text = (
        "[models.'openai/gpt-4o']\nprice = { input = 2, output = 8.5, cache_read = 0.000001 }\n"
        "batch_price = { input = 1, output = 4 }"
    )
    price = rates(load, text, "openai/gpt-4o")
    assert price.rates == Rates(input=2_000_000, output=8_500_000, cache_read=1)
    assert price.batch == Rates(input=1_000_000, output=4_000_000)
    model, usual = (
        config.catalog.models["openai/gpt-4o"] for config in (load(text, "guide"), GUIDE)
    )
    assert (model.context_window, model.aliases, model.vision) == (
        usual.context_window,
        usual.aliases,
        usual.vision,
    )


def test_a_price_of_ones_own_ends_the_catalogues_batch_price_and_tiers(load):
    text = "[models.'google/gemini-2.5-pro']\nprice = { input = 1, output = 2 }"
    price = rates(load, text, "google/gemini-2.5-pro", "default")
    assert price.batch is None and price.tiers == ()


def test_prices_may_be_dated_and_tiered(load):
    text = """
[[models."openai/o3".prices]]
since = "2026-01-01"
rates = { input = 1, output = 2 }

[[models."openai/o3".prices]]
since = "2027-01-01"
rates = { input = 3, output = 4 }
tiers = [{ above_input_tokens = 1000, rates = { input = 5, output = 6 } }]
"""
    first, second = load(text).catalog.models["openai/o3"].prices
    assert (first.since, second.since) == ("2026-01-01", "2027-01-01")
    assert second.tiers[0].rates.input == 5_000_000


def test_a_models_limits_may_change_and_its_price_stay(load):
    text = "[models.'openai/o3']\nmax_output_tokens = 1000\ntools = false"
    model = load(text, "guide").catalog.models["openai/o3"]
    assert (model.max_output_tokens, model.tools) == (1000, False)
    assert model.prices == GUIDE.catalog.models["openai/o3"].prices


def test_an_embedding_models_price_may_change_too(load):
    text = "[models.'openai/text-embedding-3-small']\nprice = { input = 1, output = 0 }"
    model = load(text).catalog.models["openai/text-embedding-3-small"]
    assert (model.kind, model.max_output_tokens) == ("embedding", 0)


def test_a_new_model_is_known_by_its_names(load):
    text = (
        "[models.'openai/new']\ncontext_window = 5\nmax_output_tokens = 5\naliases = ['newest']\n"
        "[tasks.general]\ncandidates = ['newest']"
    )
    config = load(text)
    assert config.tasks["general"].candidates == ("openai/new",)
    assert config.catalog.models["openai/new"].prices == ()


def test_one_configuration_leaves_the_catalogue_of_the_next_alone(load):
    load("[models.'openai/o3']\nprice = { input = 1, output = 1 }", "guide")
    assert load("", "guide").catalog == GUIDE.catalog


# Providers

USUAL = [
    ("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    ("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    ("google", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
]


@pytest.mark.parametrize(("name", "key", "url"), USUAL)
def test_a_key_in_the_usual_variable_puts_a_provider_into_use(name, key, url):
    found = resolve_providers(GUIDE, {key: " secret-1 "})
    assert [provider.name for provider in found.values() if provider.usable] == [name]
    assert found[name].keys == (("secret-1", "default", 1),)


@pytest.mark.parametrize(("name", "key", "url"), USUAL)
def test_the_usual_variable_moves_a_providers_address(name, key, url):
    usual = resolve_providers(GUIDE, {})[name].base_url
    assert usual.startswith("https://")
    moved = resolve_providers(GUIDE, {url: "http://127.0.0.1:9/v1/"})
    assert moved[name].base_url == "http://127.0.0.1:9/v1"
    others = {n: p.base_url for n, p in moved.items() if n != name}
    assert others == {n: p.base_url for n, p in resolve_providers(GUIDE, {}).items() if n != name}
    assert resolve_providers(GUIDE, {url: " "})[name].base_url == usual


def test_the_file_goes_before_the_variable(load):
    config = load("[providers.openai]\nbase_url = 'http://file/v1'")
    found = resolve_providers(config, {"OPENAI_BASE_URL": "http://env/v1"})
    assert found["openai"].base_url == "http://file/v1"


def test_googles_second_variable_counts_where_the_first_is_not_set():
    both = {"GEMINI_API_KEY": "first", "GOOGLE_API_KEY": "second"}
    assert resolve_providers(GUIDE, both)["google"].keys[0][0] == "first"
    del both["GEMINI_API_KEY"]
    assert resolve_providers(GUIDE, both)["google"].keys[0][0] == "second"


def test_several_keys_with_accounts_and_weights(load):
    config = load(
        "[providers.openai]\nkeys = [{ env = 'A', account = 'research', weight = 3 }, "
        "{ env = 'B' }, { env = 'UNSET' }]"
    )
    found = resolve_providers(config, {"A": "a", "B": "b", "OPENAI_API_KEY": "usual"})
    assert found["openai"].keys == (("a", "research", 3), ("b", "default", 1))


COMPATIBLE = """
[providers.ollama]
dialect = "openai"
base_url = "http://127.0.0.1:11434/v1/"
key_required = false
headers = { x-team = "a" }

[providers.vllm]
dialect = "openai"
base_url = "http://vllm/v1"
keys = [{ env = "VLLM_KEY" }]

[models."ollama/llama"]
context_window = 8192
max_output_tokens = 2048
price = { input = 0, output = 0 }

[tasks.classification]
candidates = ["ollama/llama"]
"""


def test_a_compatible_provider_is_configuration_alone(load):
    config = load(COMPATIBLE)
    found = resolve_providers(config, {})
    ollama, vllm = found["ollama"], found["vllm"]
    assert (ollama.dialect, ollama.base_url) == ("openai", "http://127.0.0.1:11434/v1")
    assert ollama.usable and ollama.config.headers == {"x-team": "a"}
    assert not vllm.usable
    assert resolve_providers(config, {"VLLM_KEY": "k"})["vllm"].usable
    assert config.tasks["classification"].candidates == ("ollama/llama",)


def test_deadlines_change_one_by_one(load):
    found = load("[providers.openai.deadlines]\nfirst_byte = 30").providers["openai"].deadlines
    assert found == Deadlines(first_byte=30)


def test_a_key_is_never_shown():
    found = resolve_providers(GUIDE, {"OPENAI_API_KEY": "sk-4711"})
    assert "4711" not in repr(found)

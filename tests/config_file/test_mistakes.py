"""Every mistake in a configuration file is told with its file, its line, its key and what to do."""

import pytest

from hybridllm.config_file import load_config
from hybridllm.errors import ConfigError

# (the file, the line of the mistake, its key, words of the message)
SYNTAX = [
    ("[server]\nport = \n", 2, None, "This is no TOML: Invalid value"),
    ("x = [1,\n2", 2, None, "Unclosed array"),
    ("[server]\n[server]", 2, None, "twice"),
    ('[server]\nhost = "a\nport = 5', 2, None, "This is no TOML"),
    ("[server]\nport = 1\nport = 2", 3, None, "This is no TOML: Cannot overwrite a value"),
]
UNKNOWN_KEYS = [
    ("serve = 1", 1, "serve", "Did you mean server?"),
    ("[servers]\nport = 1", 1, "servers", "Did you mean server"),
    ("[server]\nprot = 1", 2, "server.prot", "Did you mean port?"),
    ("[ledger]\n\ndir = 'x'", 3, "ledger.dir", "no such key"),
    ("[retries]\nattempt = 1", 2, "retries.attempt", "Did you mean attempts?"),
    ("[tasks.general]\nbarr = 0.5", 2, "tasks.general.barr", "Did you mean bar?"),
    ("[tasks.general]\nname = 'x'", 2, "tasks.general.name", "named by its table"),
    ("[providers.openai]\nkey = 1", 2, "providers.openai.key", "Did you mean keys?"),
    (
        "[providers.openai.deadlines]\nconect = 1",
        2,
        "providers.openai.deadlines.conect",
        "Did you mean connect?",
    ),
    (
        '[[providers.openai.keys]]\nenv = "A"\n\n[[providers.openai.keys]]\nenvv = "B"',
        5,
        "providers.openai.keys[1].envv",
        "Did you mean env?",
    ),
    (
        '[models."openai/o3"]\nprice = { input = 1, ouput = 2 }',
        2,
        'models."openai/o3".price.ouput',
        "Did you mean output",
    ),
    (
        '[[models."openai/o3".prices]]\nsince = "2026-01-01"\n[models."openai/o3".prices.rates]\n'
        "inptu = 1",
        4,
        'models."openai/o3".prices[0].rates.inptu',
        "Did you mean input",
    ),
    ('[[rules]]\ntask = "general"\nsize = 5', 3, "rules[0].size", "no such key"),
    ('[[quality]]\nmodell = "o3"', 2, "quality[0].modell", "Did you mean model?"),
    ('[tier_tasks]\nsimpel = "general"', 2, "tier_tasks.simpel", "Did you mean simple?"),
]
WRONG_TYPES = [
    ("[providers.mine]\nbatch = 'yes'", 2, "providers.mine.batch", "Expected bool"),
    ("server = 3", 1, "server", "This must be a table. Write it as [server]."),
    ("providers.openai = 3", 1, "providers.openai", "Write it as [providers.openai]."),
    ("[providers]\nopenai = 3", 2, "providers.openai", "This must be a table"),
    ("[[tasks]]\nx = 1", 1, "tasks", "This must be a table"),
    ("[rules]\ntask = 'x'", 1, "rules", "Write each entry under [[rules]]."),
    ("rules = [1]", 1, "rules[0]", "This must be a table"),
    ('[server]\nport = "x"', 2, "server.port", "Expected int, got str"),
    ("[server]\nport = true", 2, "server.port", "Expected int, got bool"),
    ("[server]\nport = 80.0", 2, "server.port", "Expected int"),
    ("[wire]\ndrop = 'a'", 2, "wire.drop", "Expected array, got str"),
    ("[tasks.general]\nbar = '0.9'", 2, "tasks.general.bar", "Expected float, got str"),
    ("[tasks.general]\ntier = 'hard'", 2, "tasks.general.tier", "one of: simple, mid, premium"),
    ("[tasks.general]\ncandidates = [\n'o3',\n5]", 4, "tasks.general.candidates[1]", "got int"),
    (
        "[providers.openai.headers]\na = 'b'\nc = 5",
        3,
        "providers.openai.headers.c",
        "Expected str, got int",
    ),
    (
        "[models.'openai/o3']\nprice = { input = 'x', output = 1 }",
        2,
        'models."openai/o3".price.input',
        "Invalid decimal",
    ),
]
OUT_OF_RANGE = [
    ("[server]\nport = 65536", 2, "server.port", "at most 65,535"),
    ("[server]\nworkers = 0", 2, "server.workers", "1 or more"),
    ("[retries]\nbase_seconds = nan", 2, "retries.base_seconds", "out of range"),
    ("[retries]\ncap_seconds = inf", 2, "retries.cap_seconds", "out of range"),
    ("[ledger]\nload_seconds = 0", 2, "ledger.load_seconds", "more than 0"),
    ("[tasks.general]\nbar = 1.01", 2, "tasks.general.bar", "at most 1"),
    ("[tasks.general]\nmax_latency_ms = 0", 2, "tasks.general.max_latency_ms", "1 or more"),
    (
        "[providers.openai.deadlines]\nconnect = -1",
        2,
        "providers.openai.deadlines.connect",
        "more than 0",
    ),
    (
        '[[providers.openai.keys]]\nenv = "A"\nweight = 0',
        3,
        "providers.openai.keys[0].weight",
        "1 or more",
    ),
    (
        '[[quality]]\nmodel = "o3"\ntask = "general"\nvalue = 2',
        4,
        "quality[0].value",
        "at most 1",
    ),
]
NAMES = [
    ("preset = 'guid'", 1, "preset", "Did you mean guide?"),
    ("catalog = '2026-05'", 1, "catalog", "Did you mean 2026-04?"),
    ("[routing]\nbaseline = 'gpt-4x'", 2, "routing.baseline", "Did you mean gpt-4"),
    ("[routing]\ndefault_task = 'genral'", 2, "routing.default_task", "Did you mean general?"),
    ("[routing]\necosystem = 'gogle'", 2, "routing.ecosystem", "Did you mean google?"),
    ("[tasks.general]\necosystem = 'x'", 2, "tasks.general.ecosystem", "No provider belongs"),
    (
        "[tasks.general]\ncandidates = [\n  'gpt-4o',\n  'zzz',\n]",
        4,
        "tasks.general.candidates[1]",
        '[models."provider/zzz"]',
    ),
    (
        "[tasks.general]\nfallbacks = ['text-embedding-3-small']",
        2,
        "tasks.general.fallbacks[0]",
        "no chat model",
    ),
    ("[tasks.'Big Task']\nbar = 1", 1, 'tasks."Big Task"', "cannot be a task's name"),
    ("[[rules]]\ntools = true\ntask = 'genral'", 3, "rules[0].task", "Did you mean general?"),
    (
        '[[quality]]\nmodel = "o33"\ntask = "general"\nvalue = 1',
        2,
        "quality[0].model",
        "Did you mean o3",
    ),
    (
        '[[quality]]\nmodel = "o3"\ntask = "tier:hard"\nvalue = 1',
        3,
        "quality[0].task",
        'no task "tier:hard"',
    ),
    ("[tier_tasks]\nmid = 'genral'", 2, "tier_tasks.mid", "Did you mean general?"),
    ("[models.'gpt-4o']\nprice = {}", 1, "models.gpt-4o", '[models."openai/gpt-4o"]'),
    ("[models.'x/y']\ntools = true", 1, 'models."x/y"', "Add [providers.x]"),
    ("[providers.'a/b']\ndialect = 'openai'", 1, 'providers."a/b"', "provider's name"),
]
SENSE = [
    ("[tasks.mine]\ncandidates = ['o3']", 1, "tasks.mine", "`tier` is missing"),
    ("[tasks.mine]\ntier = 'mid'", 1, "tasks.mine", "no candidates"),
    ("[[rules]]\ntask = 'general'", 1, "rules[0]", "no condition"),
    ("[[rules]]\ntask = 'general'\nsystem = '('", 3, "rules[0].system", "no regular expression"),
    ("[overhead]\nsetup_days = [5, 3]", 2, "overhead.setup_days", "5 is more than 3"),
    ("[overhead]\nincident_usd = [-1, 3]", 2, "overhead.incident_usd[0]", "out of range"),
    ("[drift]\nbaseline = 3", 2, "drift.baseline", "3 scores say too little. Write 50 or more."),
    ("[drift]\n\nwindow = 9", 3, "drift.window", "Write 100 or more."),
    ("[drift]\nmargin = 2", 2, "drift.margin", "2 is no share. Write one between 0 and 1: 0.02."),
    ("[overhead]\nsetup_days = 4", 2, "overhead.setup_days", "Expected array, got int"),
    ("[review]\nevery_days = -1", 2, "review.every_days", "out of range"),
    ("[wire]\ndrop = ['a']\nrefuse = ['a']", 3, "wire.refuse", "both dropped and refused"),
    ("[providers.mine]\ndialect = 'openai'", 1, "providers.mine", "`base_url` is missing"),
    (
        "[providers.mine]\ndialect = 'opanai'\nbase_url = 'http://x'",
        2,
        "providers.mine.dialect",
        "Did you mean openai?",
    ),
    ("[providers.openai]\nbase_url = 'x:80'", 2, "providers.openai.base_url", "no URL"),
    ("[providers.openai]\nproxy = 'socks5://x'", 2, "providers.openai.proxy", "no URL"),
    (
        '[[quality]]\nmodel = "o3"\ntask = "general"\nvalue = 1\nsamples = 9',
        1,
        "quality[0]",
        "needs its lower bound",
    ),
]
OF_MODELS = [
    ("price = { input = -1, output = 1 }", "price.input", "no price"),
    ("price = { input = nan, output = 1 }", "price.input", "no price"),
    ("price = { input = 1, output = 1e7 }", "price.output", "between 0 and 1,000,000"),
    ("price = { input = 0.1234567, output = 1 }", "price.input", "more than six decimals"),
    ("price = { input = 1 }", "price", "`output` is missing"),
    ("batch_price = { input = 1, output = 1 }", "batch_price", "Give price too"),
    ("prices = [{ since = 'x', rates = { input = 1, output = 1 } }]", "prices[0].since", "day"),
    ("context_window = 0", "context_window", "not between 1"),
    ("max_output_tokens = -1", "max_output_tokens", "not between 1"),
    ("tokens_per_kbyte = 0", "tokens_per_kbyte", "not between 1"),
    ("min_cache_tokens = -1", "min_cache_tokens", "not between 0"),
    ("deprecated_on = 'soon'", "deprecated_on", "not a day"),
    ("deprecated_on = 2026-01-01", "deprecated_on", "Expected str, got date"),
    ("kind = 'image'", "kind", 'neither "chat" nor "embedding"'),
]
MISTAKES = [*SYNTAX, *UNKNOWN_KEYS, *WRONG_TYPES, *OUT_OF_RANGE, *NAMES, *SENSE] + [
    (f"[models.'openai/o3']\n{line}", 2, f'models."openai/o3".{key}', words)
    for line, key, words in OF_MODELS
]


@pytest.mark.parametrize(("text", "line", "key", "words"), MISTAKES)
def test_a_mistake_is_told_with_file_line_and_key(mistake, tmp_path, text, line, key, words):
    error = mistake(text)
    assert error.where == f"{tmp_path / 'hybridllm.toml'}:{line}"
    assert error.field == key
    assert words in str(error)
    assert str(error).startswith(f"{error.where}, {key}: " if key else f"{error.where}: ")


def test_two_prices_of_a_model_exclude_each_other(mistake):
    error = mistake(
        "[models.'openai/o3']\nprice = { input = 1, output = 1 }\n"
        "prices = [{ since = '2026-01-01', rates = { input = 1, output = 1 } }]"
    )
    assert (error.field, error.message) == (
        'models."openai/o3".prices',
        "Give either price or prices.",
    )


def test_a_price_for_batches_is_pointed_at_too(mistake):
    error = mistake(
        "[models.'openai/o3']\nprice = { input = 1, output = 1 }\n"
        "batch_price = { input = 1, output = -1 }"
    )
    assert error.field == 'models."openai/o3".batch_price.output'
    assert error.where is not None and error.where.endswith(":3")


@pytest.mark.parametrize("missing", ["context_window", "max_output_tokens"])
def test_a_new_model_needs_its_limits(mistake, missing):
    limits = {"context_window": 5, "max_output_tokens": 5}
    del limits[missing]
    said = "\n".join(f"{name} = {value}" for name, value in limits.items())
    error = mistake(f"[models.'openai/new']\n{said}")
    assert (error.field, error.message) == ('models."openai/new"', f"`{missing}` is missing.")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(str(tmp_path / "none.toml"), env={})


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "hybridllm.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(str(path), env={})


def test_a_preset_asked_for_by_option():
    with pytest.raises(ConfigError) as raised:
        load_config(preset="guid", env={})
    assert str(raised.value) == 'preset: There is no preset "guid". Did you mean guide?'


def test_the_file_is_pointed_at_and_not_the_preset_that_says_the_same_key(mistake):
    error = mistake("[wire]\ndrop = ['a']\n[routing]\nbaseline = 'none'", "guide")
    assert error.where is not None and error.where.endswith("hybridllm.toml:4")

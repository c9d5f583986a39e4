"""What docs/ says of keys, columns and figures is what the code has."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from msgspec import NODEFAULT, UNSET, Struct
from msgspec.structs import FieldInfo, fields

from hybridllm import config
from hybridllm.catalog.files import ModelFile, PriceFile, RatesFile, TierFile
from hybridllm.catalog.structs import Capture, Cascade, Monitor, Task
from hybridllm.cli.cost import cost
from hybridllm.config import (
    AlertsConfig,
    BatchConfig,
    BreakerConfig,
    CachingConfig,
    Config,
    Deadlines,
    DriftConfig,
    KeyConfig,
    LedgerConfig,
    OverheadConfig,
    ProviderConfig,
    ResolvedProvider,
    ResponseCacheConfig,
    RetryConfig,
    ReviewConfig,
    RoutingConfig,
    Rule,
    ServerConfig,
    WireConfig,
)
from hybridllm.config_file import load_config
from hybridllm.config_file.load import KEYS
from hybridllm.config_file.models import SaidModel
from hybridllm.config_file.tasks import SaidQuality
from hybridllm.planning.workload import load_workload
from hybridllm.pricing import price_at, rates_for
from hybridllm.store.schema import HOURLY_KEYS, HOURLY_SUMS, HOURLY_TOKENS, attempts, loaded
from tests.docs.blocks import PAGES, ROOT

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
LEDGER = (ROOT / "docs" / "ledger.md").read_text()
COSTS = (ROOT / "docs" / "costs.md").read_text()

SECTIONS: dict[str, type[Struct]] = {
    "## `[server]`": ServerConfig,
    "## `[ledger]`": LedgerConfig,
    "## `[routing]`": RoutingConfig,
    "## `[tasks.<name>]`": Task,
    "### `[tasks.<name>.cascade]`": Cascade,
    "### `[tasks.<name>.capture]`": Capture,
    "### `[tasks.<name>.monitor]`": Monitor,
    "## `[[quality]]`": SaidQuality,
    "## `[[rules]]`": Rule,
    "## `[providers.<name>]`": ProviderConfig,
    "### `[[providers.<name>.keys]]`": KeyConfig,
    "### `[providers.<name>.deadlines]`": Deadlines,
    "## `[overhead]`": OverheadConfig,
    "## `[review]`": ReviewConfig,
    "## `[drift]`": DriftConfig,
    "## `[alerts]`": AlertsConfig,
    "## `[batch]`": BatchConfig,
    "## `[caching]`": CachingConfig,
    "## `[response_cache]`": ResponseCacheConfig,
    "## `[retries]`": RetryConfig,
    "## `[breaker]`": BreakerConfig,
    "## `[wire]`": WireConfig,
    '## `[models."<provider>/<name>"]`': SaidModel,
}
IN_WORDS = {
    "needed",
    "none",
    "see below",
    "the known one's",
    "the known one's, else `true`",
    "`value`",
}
"""Defaults that are no value of their own."""
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\|$", re.MULTILINE)


def section(heading: str) -> str:
    """The page from a heading to the next of any level."""
    _, found, rest = CONFIGURATION.partition(f"\n{heading}\n")
    assert found, f"docs/configuration.md has no {heading}"
    return re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def written(field: FieldInfo) -> str | None:
    """The default as the page writes it; None where it is put in words."""
    default = field.default
    if default is NODEFAULT and field.default_factory is not NODEFAULT:
        default = field.default_factory()
    if default is NODEFAULT or default is None or default is UNSET or isinstance(default, Struct):
        return None
    value = list(default) if isinstance(default, tuple) else default
    return f"`{json.dumps(value)}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    inside = [link for link in links if not link.startswith(("http://", "https://"))]
    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(("heading", "kind"), SECTIONS.items())
def test_every_key_of_the_configuration_is_named_with_its_default(heading, kind):
    rows = {name: default for name, default, _ in ROW.findall(section(heading))}
    expected = {field.encode_name: field for field in fields(kind) if field.name != "name"}
    assert set(rows) == set(expected)
    for name, field in expected.items():
        default = written(field)
        if default is None or (kind is Task and name == "candidates"):
            assert kind is SaidModel or rows[name] in IN_WORDS, name
        else:
            assert rows[name] == default, name


def test_no_part_of_the_configuration_is_left_out():
    """Config is the tree itself, and a ResolvedProvider is made of it: neither stands in a file."""
    structs = {
        kind
        for kind in vars(config).values()
        if isinstance(kind, type)
        and issubclass(kind, Struct)
        and kind.__module__ == config.__name__
    }
    assert structs - {Config, ResolvedProvider} <= set(SECTIONS.values())


def test_a_new_models_defaults_are_the_catalogues():
    rows = {name: default for name, default, _ in ROW.findall(section(list(SECTIONS)[-1]))}
    for field in fields(ModelFile):
        default = written(field)
        if field.name in rows and default is not None:
            assert rows[field.name] == default, field.name


@pytest.mark.parametrize("key", KEYS)
def test_every_section_has_its_place(key):
    assert re.search(rf"^##.*`\[+{key}\b|^\| `{key}` \|", CONFIGURATION, re.MULTILINE)


@pytest.mark.parametrize("kind", [PriceFile, TierFile, RatesFile])
def test_every_part_of_a_price_is_named(kind):
    text = CONFIGURATION[CONFIGURATION.index("A price: `since`") :]
    for name in kind.__struct_fields__:
        assert f"`{name}`" in text


def test_every_column_of_the_ledger_is_named():
    page = LEDGER[LEDGER.index("## `attempts`") : LEDGER.index("## `hourly`")]
    assert [c for c in attempts.c if f"`{c.name}`" not in page] == []
    page = LEDGER[LEDGER.index("## `hourly`") : LEDGER.index("## `loaded`")]
    named = (*HOURLY_KEYS, *(name for name in HOURLY_SUMS if name not in HOURLY_TOKENS))
    assert [c for c in named if f"`{c}`" not in page] == []
    assert len(HOURLY_TOKENS) == 6
    page = LEDGER[LEDGER.index("## `loaded`") :]
    assert [c for c in loaded.c if f"`{c.name}`" not in page] == []


COMPUTED = re.compile(r"^\| (.*?) \| [^|]*? \| \**\$([\d,]+\.\d\d)\** \|", re.MULTILINE)


def test_every_figure_of_the_guides_month_is_what_the_command_prints(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    cost(preset="guide")
    printed = set(re.findall(r"\$([\d,]+\.\d\d)", capsys.readouterr().out))
    rows = COMPUTED.findall(COSTS)
    assert len(rows) == 17
    assert {figure for _, figure in rows} <= printed


PART = re.compile(
    r"^\| (\w+) on (.+), \$([\d.]+)/\$([\d.]+) \| \$([\d,.]+) \| \$([\d,.]+) \| same \|$",
    re.MULTILINE,
)


def test_every_part_of_the_guides_sums_is_tokens_times_the_presets_price():
    month = {line.task: line for line in load_workload("guide").tasks}
    catalog = load_config(preset="guide", env={}).catalog
    parts = PART.findall(COSTS)
    assert len(parts) == 7
    for task, name, *said in parts:
        wire_name = re.sub("[ .]", "-", name.lower())
        (model,) = (
            m for m in catalog.models.values() if m.name.replace(".", "-").endswith(wire_name)
        )
        price = price_at(model, catalog.as_of)
        assert price is not None
        line, rates = month[task], rates_for(price, month[task].input_tokens)
        figures = [Decimal(figure.replace(",", "")) * 10**12 for figure in said]
        assert figures[:2] == [rates.input * 10**6, rates.output * 10**6]
        assert figures[2:] == [
            rates.input * line.input_tokens * line.calls,
            rates.output * line.output_tokens * line.calls,
        ]


def test_what_the_page_says_of_the_optimal_month_and_of_its_net_is_printed(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.delenv("HYBRIDLLM_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    cost(preset="guide")
    printed = " ".join(capsys.readouterr().out.split())
    page = " ".join(COSTS.split())
    for part in ("$4,287.94", "$88.31", "6.3% to 14.2%", "20.3% to 28.3%"):
        assert part in page and part in printed


def test_the_page_names_what_the_guides_arithmetic_misses():
    wrong = [row for row in COSTS.splitlines() if "sum to" in row or "follows from that" in row]
    figures = [re.findall(r"\$[\d,]+(?:\.\d\d)?", row)[:2] for row in wrong if row.startswith("|")]
    assert figures == [
        ["$4,376.75", "$4,376.25"],
        ["$2,748.25", "$2,748.75"],
        ["$32,979", "$32,985.00"],
    ]

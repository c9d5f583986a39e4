"""Each export is told by its content, and its tokens and costs are what it says."""

import gzip
import json

import pytest

from hybridllm.errors import ConfigError
from hybridllm.planning.audit.formats import FORMATS, format_of
from hybridllm.planning.audit.head import read_head
from tests.planning.audit import samples
from tests.planning.audit.build import scanned

CALL = ("gpt-4o", 1, 200, 800, 0, 0, 500, False)
"""Of one call: model, calls, uncached input, cached, written, written for long, output, batch."""
OPENAI = [
    ("gpt-4o-2024-08-06", 5, 200, 800, 0, 0, 500, False),
    ("gpt-4o-mini-2024-07-18", 10, 2000, 0, 0, 0, 100, True),
]
ANTHROPIC = [
    ("claude-sonnet-4-6", 0, 100, 0, 0, 0, 10, True),
    ("claude-sonnet-4-6", 0, 1500, 200, 500, 1000, 500, False),
]
LANGFUSE_PAGE = json.dumps({"data": samples.LANGFUSE_ROWS, "meta": {"page": 1, "totalPages": 1}})
OTEL = json.dumps(samples.OTEL_LINE)

USAGE = {
    "openai page": (json.dumps(samples.OPENAI_PAGE), "openai-usage", OPENAI),
    "openai page, indented": (json.dumps(samples.OPENAI_PAGE, indent=2), "openai-usage", OPENAI),
    "openai pages in an array": (json.dumps([samples.OPENAI_PAGE]), "openai-usage", OPENAI),
    "openai csv": (samples.OPENAI_CSV, "openai-usage-csv", OPENAI),
    "anthropic page": (json.dumps(samples.ANTHROPIC_PAGE), "anthropic-usage", ANTHROPIC),
    "anthropic csv": (samples.ANTHROPIC_CSV, "anthropic-usage-csv", ANTHROPIC),
    "litellm jsonl": (samples.lines(samples.LITELLM_ROWS), "litellm", [CALL]),
    "litellm json": (json.dumps(samples.LITELLM_ROWS), "litellm", [CALL]),
    "litellm csv": (samples.as_csv(samples.LITELLM_ROWS), "litellm", [CALL]),
    "langfuse jsonl": (samples.lines(samples.LANGFUSE_ROWS), "langfuse", [CALL]),
    "langfuse json": (json.dumps(samples.LANGFUSE_ROWS), "langfuse", [CALL]),
    "langfuse csv": (samples.as_csv(samples.LANGFUSE_ROWS), "langfuse", [CALL]),
    "langfuse page": (LANGFUSE_PAGE, "langfuse", [CALL]),
    "langfuse blob csv": (samples.LANGFUSE_BLOB, "langfuse", [CALL]),
    "otel": (OTEL + "\n", "otel", [CALL]),
    "ledger": (samples.LEDGER_CSV, "ledger", [("openai/gpt-4o", *CALL[1:])]),
    "generic csv": (samples.GENERIC_CSV, "generic", [CALL]),
    "generic csv, semicolons": (samples.GENERIC_CSV.replace(",", ";"), "generic", [CALL]),
    "generic csv, windows": (
        "\ufeff" + samples.GENERIC_CSV.replace("\n", "\r\n"),
        "generic",
        [CALL],
    ),
}


def taken(scan):
    return sorted(
        (
            group.model,
            group.calls,
            group.input_tokens,
            group.cached,
            group.written,
            group.written_long,
            group.output,
            group.batch,
        )
        for group in scan.groups
    )


@pytest.mark.parametrize("name", USAGE)
def test_tokens_are_what_the_export_says(tmp_path, name):
    text, format, groups = USAGE[name]
    path = tmp_path / "export"
    path.write_text(text, "utf-8")
    found = scanned(path)
    assert found.files[0].format == format
    assert taken(found) == groups
    assert (found.files[0].bad, found.files[0].problems) == (0, [])
    assert found.files[0].first == "2026-09-01"


@pytest.mark.parametrize("name", USAGE)
def test_gzipped_exports_are_the_same(tmp_path, name):
    text, format, groups = USAGE[name]
    path = tmp_path / "export"
    path.write_bytes(gzip.compress(text.encode()))
    found = scanned(path)
    assert (found.files[0].format, taken(found)) == (format, groups)


COSTS = {
    "openai page": (json.dumps(samples.OPENAI_COSTS), "openai-costs", 1_500_000_000_000),
    "openai csv": (samples.OPENAI_COSTS_CSV, "openai-costs-csv", 1_500_000_000_000),
    "anthropic page": (json.dumps(samples.ANTHROPIC_COSTS), "anthropic-costs", 1_240_000_000_000),
    "anthropic csv": (samples.ANTHROPIC_COSTS_CSV, "anthropic-costs-csv", 1_240_000_000_000),
}


@pytest.mark.parametrize("name", COSTS)
def test_costs_are_exact(tmp_path, name):
    text, format, picodollars = COSTS[name]
    path = tmp_path / "export"
    path.write_text(text, "utf-8")
    file = scanned(path).files[0]
    assert (file.format, file.costs, file.bad) == (format, picodollars, 0)


def only(tmp_path, text):
    path = tmp_path / "export"
    path.write_text(text, "utf-8")
    found = scanned(path)
    (group,) = found.groups
    return group, found.files[0]


def test_litellm_tags_name_the_task_and_its_cache_and_failures_cost_nothing(tmp_path):
    group, file = only(tmp_path, samples.lines(samples.LITELLM_ROWS))
    assert (group.label, group.reasoning, group.stated) == ("code_review", 20, 3_500_000_000)
    assert file.skipped == {"answered from LiteLLM's cache": 1, "failed calls": 1}
    assert (file.rows, file.good) == (3, 1)


def test_langfuse_generations_only_with_their_names_as_labels(tmp_path):
    group, file = only(tmp_path, samples.lines(samples.LANGFUSE_ROWS))
    assert (group.label, group.reasoning, group.output) == ("classify-ticket", 20, 500)
    assert group.stated == 3_500_000_000
    assert file.skipped == {"spans that are no generations": 1}


def test_a_name_that_an_integration_gives_is_no_label(tmp_path):
    assert only(tmp_path, samples.LANGFUSE_BLOB)[0].label == ""


def test_agents_spans_do_not_count_their_calls_twice(tmp_path):
    _, file = only(tmp_path, OTEL)
    assert file.skipped == {"spans of agents and tools": 1, "spans without usage": 1}


def test_the_ledgers_own_cost_is_in_picodollars(tmp_path):
    group, file = only(tmp_path, samples.LEDGER_CSV)
    assert (group.stated, group.label) == (6_500_000_000, "code_review")
    assert file.skipped == {"attempts without usage": 1}


def test_parquet_with_types_of_its_own(tmp_path):
    import duckdb

    path = tmp_path / "usage.parquet"
    duckdb.execute(
        "COPY (SELECT 'gpt-4o' AS model, 1000::INTEGER AS input_tokens, 800.0 AS cached_tokens, "
        "500::UBIGINT AS output_tokens, DATE '2026-09-01' AS day, 0.0065::DOUBLE AS cost_usd) "
        f"TO '{path}'"
    )
    found = scanned(path)
    assert taken(found) == [CALL]
    assert found.groups[0].stated == 6_500_000_000


TIMES = [
    "2026-09-01T01:00:00+02:00",
    "1788220799",
    "1788220799000",
    "1788220799000000",
    "2026-08-31",
]


@pytest.mark.parametrize("said", TIMES)
def test_days_are_utc_however_a_time_is_written(tmp_path, said):
    path = tmp_path / "usage.csv"
    path.write_text(f"model,input_tokens,output_tokens,timestamp\ngpt-4o,1,1,{said}\n")
    assert scanned(path).files[0].first == "2026-08-31"


def test_several_files_of_several_formats(tmp_path):
    paths = []
    for place, (text, _, _) in enumerate(USAGE.values()):
        paths.append(tmp_path / str(place))
        paths[-1].write_text(text, "utf-8")
    found = scanned(*paths)
    assert [file.format for file in found.files] == [format for _, format, _ in USAGE.values()]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "No known format has these columns: a, b"),
        ("model,model,input_tokens\n", "twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, told):
    path = tmp_path / "usage.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        scanned(path)
    assert told in str(raised.value) and str(path) in str(raised.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        scanned(tmp_path / "nothing.csv")


def test_a_format_that_is_asked_for_is_taken_and_a_wrong_one_told(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(samples.GENERIC_CSV)
    assert format_of(read_head(str(path)), "generic") is FORMATS["generic"]
    with pytest.raises(ConfigError, match="Did you mean litellm"):
        scanned(path, format="lite-llm")
    with pytest.raises(ConfigError):
        scanned(path, format="litellm")

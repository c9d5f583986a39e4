"""Sums are exact, faults named, memory bounded."""

import json
import subprocess
import sys

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridllm.catalog.structs import Usage
from hybridllm.planning.audit import scan as module
from hybridllm.planning.audit.cells import Pricer, price_on
from hybridllm.planning.audit.names import Names
from hybridllm.planning.audit.sizes import bucket_sql
from hybridllm.pricing import cost, rates_for
from tests.planning.audit.build import CONFIG, DAY, GRID, scanned

HEADER = "model,input_tokens,output_tokens,cached_tokens,timestamp,cost_usd\n"
FAULTY = [
    ("gpt-4o,abc,20,,2026-08-01,", "input_tokens", "is no whole number"),
    ("gpt-4o,,20,,2026-08-01,", "input_tokens", "is empty"),
    ("gpt-4o,-5,20,,2026-08-01,", "input_tokens", "is negative"),
    ("gpt-4o,5,,,2026-08-01,", "output_tokens", "is empty"),
    (",5,20,,2026-08-01,", "model", "is empty"),
    ("gpt-4o,5,20,6,2026-08-01,", "cached_tokens", "exceeds input_tokens"),
    ("gpt-4o,5,20,,yesterday,", "timestamp", "is no date or time"),
    ("gpt-4o,5,20,,2026-08-01,free", "cost_usd", "is no amount"),
    ("gpt-4o,5,20,,2026-08-01,1,2,3", "the line", "too many columns"),
    ("gpt-4o,5", "output_tokens", "missing columns"),
]


@pytest.mark.parametrize(("line", "field", "why"), FAULTY)
def test_a_faulty_row_is_named_and_the_others_are_used(tmp_path, line, field, why):
    path = tmp_path / "usage.csv"
    good = "gpt-4o,10,1,0,2026-08-01,0.5\n"
    path.write_text(HEADER + good + line + "\n" + good)
    found = scanned(path)
    file = found.files[0]
    assert (file.rows, file.bad, file.good) == (3, 1, 2)
    (problem,) = file.problems
    assert (problem.row, problem.why) == (2, why)
    if why != "missing columns":
        assert problem.field == field
    assert sum(group.input_tokens for group in found.groups) == 20


def test_only_the_first_faults_are_named_and_all_are_counted(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(HEADER + "gpt-4o,x,1,,,\ngpt-4o,1,1,,,\n" * 50)
    file = scanned(path).files[0]
    assert (file.bad, file.good) == (50, 50)
    assert [problem.row for problem in file.problems] == [1, 3, 5, 7, 9]


def test_a_line_of_json_that_is_none_is_a_faulty_row(tmp_path):
    path = tmp_path / "usage.jsonl"
    good = json.dumps({"model": "gpt-4o", "input_tokens": 10, "output_tokens": 1})
    path.write_text(f"{good}\n{{oops\n{good}\n")
    file = scanned(path).files[0]
    assert (file.good, file.bad, file.problems[0].row) == (2, 1, 2)


@pytest.mark.parametrize("edges", [(), (5,), (1, 2, 3), (4, 8, 16, 32)])
def test_buckets_hold_what_does_not_exceed_their_edge(edges):
    sql = bucket_sql("v", edges)
    for value in range(40):
        ((found,),) = duckdb.sql(f"SELECT {sql} FROM (SELECT {value} AS v)").fetchall()
        assert found == sum(value > edge for edge in edges)


MODELS = ("gpt-4o", "claude-sonnet-4-6", "gemini-2.5-pro", "gpt-5.5", "o3", "claude-opus-4-7")
ROWS = st.lists(
    st.tuples(
        st.sampled_from(MODELS),
        st.integers(0, 1_000_000),
        st.integers(0, 100),
        st.integers(0, 100_000),
        st.sampled_from(["2025-06-09", "2025-06-10", "2026-08-20", "2026-08-21", "2026-10-14"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_the_bill_of_the_groups_is_the_bill_of_the_rows(tmp_path, rows):
    """To the picodollar: tiers, dated prices, batches and cached input included."""
    path = tmp_path / "usage.jsonl"
    names = Names(CONFIG.catalog)
    expected, lines = 0, []
    for model, given_, percent, output, day, batch in rows:
        cached = given_ * percent // 100
        usage = Usage(input_tokens=given_ - cached, cache_read_tokens=cached, output_tokens=output)
        found = names.find(model)
        assert found is not None
        price = price_on(found, day, batch=batch)
        assert price is not None
        expected += cost(usage, rates_for(price, given_, batch=batch))
        lines.append(
            {
                "model": model,
                "input_tokens": given_,
                "cached_tokens": cached,
                "output_tokens": output,
                "timestamp": day,
                "batch": batch,
            }
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    pricer = Pricer(GRID, DAY)
    total = 0
    for group in scanned(path).groups:
        found = names.find(group.model)
        assert found is not None
        total += pricer.price(group, found, dated=True) or 0
    assert total == expected


def test_costs_are_summed_exactly_where_floats_would_not_be(tmp_path):
    path = tmp_path / "usage.csv"
    path.write_text(HEADER + "gpt-4o,1,1,0,2026-08-01,0.1\n" * 1000 + "gpt-4o,1,1,0,,1e-12\n")
    assert sum(group.stated for group in scanned(path).groups) == 100 * 10**12 + 1


def test_labels_that_differ_from_call_to_call_do_not_make_a_group_each(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_GROUPS", 50)
    monkeypatch.setattr(module, "MOST_NAMES", 3)
    path = tmp_path / "usage.csv"
    rows = [f"gpt-4o,10,1,call-{n}\n" for n in range(200)] + ["gpt-4o,10,1,often\n"] * 100
    path.write_text("model,input_tokens,output_tokens,task\n" + "".join(rows))
    found = scanned(path)
    assert found.names_cut
    labels = {group.label for group in found.groups}
    assert {"often", module.OTHERS} <= labels and len(labels) == 4
    assert sum(group.rows for group in found.groups) == 300


STREAM = """
import resource, sys
from tests.planning.audit.build import scanned
from pathlib import Path
import duckdb
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = scanned(Path(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(g.rows for g in found.groups), (after - before) // 1024)
"""


def test_a_large_file_is_not_held_in_memory(tmp_path):
    path = tmp_path / "usage.csv"
    duckdb.execute(
        "COPY (SELECT 'gpt-4o' AS model, i % 20000 AS input_tokens, i % 900 AS output_tokens, "
        "repeat('word ', 60) AS note, TIMESTAMP '2026-08-01' + INTERVAL (i) SECOND AS timestamp "
        f"FROM range(400000) t(i)) TO '{path}' (HEADER)"
    )
    assert path.stat().st_size > 120 * 2**20
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(path)], capture_output=True, text=True, check=True
    )
    rows, megabytes = map(int, done.stdout.split())
    assert rows == 400_000
    assert megabytes < 300

"""The audit as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Callable

from hybridllm.planning.audit.report import Audit
from hybridllm.planning.html import Column, bars, figures, page, paragraphs, table

Money = Callable[[int], str]
"""Picodollars as text for a person."""


def render(result: Audit, money: Money) -> str:
    """The page's text."""
    return page(
        "Audit of LLM usage",
        _subtitle(result),
        [
            ("", figures(_headline(result, money))),
            ("One way and another", bars(_ways(result), money)),
            ("Where the calls would go", _tasks(result, money)),
            (
                "Saving by task",
                bars(_savings(result), money),
            ),
            ("Today's bill by model", _models(result, money)),
            ("Levers", _levers(result, money)),
            ("What carries the saving", _assumptions(result, money)),
            ("What was read", _files(result)),
            ("Notes", paragraphs(result.notes or ["None."])),
        ],
    )


def _subtitle(result: Audit) -> str:
    when = f"{result.first} to {result.last}" if result.first else "undated"
    return (
        f"{result.rows:,} rows, {when}; prices of {result.day}, catalogue as of {result.as_of}, "
        f"preset {result.preset}"
    )


def _headline(result: Audit, money: Money) -> list[tuple[str, str]]:
    share = f"{result.saving / result.now:.1%}" if result.now else "0%"
    shown = [
        ("bill, as dated", money(result.bill)),
        ("routed, with batches", money(result.batched)),
        ("saving", f"{money(result.saving)} ({share})"),
    ]
    if result.monthly_saving is not None:
        shown.append(("saving in 30 days of it", money(result.monthly_saving)))
    return shown


def _ways(result: Audit) -> list[tuple[str, int]]:
    return [
        ("today's models", result.now),
        ("routed", result.hybrid),
        ("routed, with batches", result.batched),
    ]


def _savings(result: Audit) -> list[tuple[str, int]]:
    """Of the dozen tasks that save most; what costs more is in the table."""
    saving = [(line.name, line.saving) for line in result.tasks if line.saving > 0]
    return sorted(saving, key=lambda item: -item[1])[:12]


def _tasks(result: Audit, money: Money) -> str:
    return table(
        [
            Column("Task"),
            Column("known by"),
            Column("calls", True),
            Column("today's models"),
            Column("now", True),
            Column("routed to"),
            Column("routed", True),
            Column("with batches", True),
            Column("saving", True),
        ],
        [
            [
                line.name if line.name == line.task else f"{line.name} ({line.task})",
                f"{line.how}{': ' + line.why if line.why else ''}",
                f"{line.calls:,}" if line.calls else "not counted",
                _few(list(line.models)),
                money(line.now),
                _few(list(line.routed)),
                money(line.hybrid),
                money(line.batched),
                money(line.saving),
            ]
            for line in result.tasks
        ],
    )


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _models(result: Audit, money: Money) -> str:
    stated = any(line.stated_rows for line in result.models)
    columns = [Column("Model"), Column("rows", True), Column("bill", True)]
    if stated:
        columns += [Column("the file says", True), Column("ours less theirs", True)]
    rows = []
    for line in result.models:
        row = [
            line.id or f"{line.written} (not in the catalogue)",
            f"{line.rows:,}",
            "unknown" if line.bill is None else money(line.bill),
        ]
        if stated:
            known = line.stated_rows > 0
            row.append(money(line.stated) if known else "")
            row.append(money(line.stated_bill - line.stated) if known and line.id else "")
        rows.append(row)
    return table(columns, rows)


def _levers(result: Audit, money: Money) -> str:
    batch, cache = result.batch, result.cache
    eligible = batch.eligible_calls / batch.calls if batch.calls else 0.0
    return table(
        [Column("Lever"), Column("saving", True), Column("how much of it")],
        [
            ["the router's choice", money(result.now - result.hybrid), "all calls"],
            ["batches", money(batch.saving), f"{eligible:.0%} of calls can wait and do not yet"],
            [
                "prompt caches, on top and in no total",
                money(cache.saving),
                f"{cache.seen:.0%} of input is cached, {cache.possible:.0%} could be "
                f"({'measured on the prompts' if cache.measured else 'assumed'})",
            ],
        ],
    )


def _assumptions(result: Audit, money: Money) -> str:
    return table(
        [
            Column("Assumption"),
            Column("what if"),
            Column("saving then", True),
            Column("change", True),
        ],
        [
            [made.text, made.if_wrong, money(made.saving), money(made.change)]
            for made in result.assumptions
        ],
    )


def _files(result: Audit) -> str:
    rows = []
    for file in result.files:
        left = [f"{count:,} {reason}" for reason, count in file.skipped.items()]
        left += [f"{file.bad:,} faulty"] if file.bad else []
        named = [f"row {p.row}, {p.field}: {p.why}" for p in file.problems]
        rows.append([file.path, file.title, f"{file.good:,}", "; ".join(left), "; ".join(named)])
    return table(
        [
            Column("File"),
            Column("format"),
            Column("rows used", True),
            Column("left out"),
            Column("the first faults"),
        ],
        rows,
    )

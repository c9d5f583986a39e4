"""Writing and reading scores of answers. Every function works within the transaction it is given.

A score is written with `add_scores`, once: the same sample in the same run and cell is not counted
again, so that whoever was cut off may write everything again. What is read are the sums of cells,
which `add_scores` keeps up to date in the same transaction. They are integers, so that they are
exact in any order and sums of sums are sums: scores count in millionths, weights in thousandths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, case, cast, func, select

from hybridllm.store.schema import SCORE_KEY, SUM_KEY, SUM_TOTALS, score_sums, scores
from hybridllm.store.upserts import upsert

METRIC = "score"
"""The metric that is held against a task's bar. A sample may have others besides."""

SOURCES = ("benchmark", "production", "feedback", "shadow")
"""Where a scored answer comes from: a set's sample, live traffic, the caller's own verdict, or a
candidate on the input of live traffic."""

MILLION = 1_000_000
THOUSAND = 1_000
_DAY = 86_400
_WEEK = 7 * _DAY
_MONDAY = 4 * _DAY  # 1970-01-05, in Unix seconds
_HEAVIEST = 1_000.0


class Score(NamedTuple):
    """One answer's score. `task`, `model` (an id) and `variant` (of the prompt, "" for the plain
    one) name the cell; `run` is the set or run that it belongs to (for live traffic the source's
    name will do) and `sample` what was answered there (for live traffic the request id). `score`
    lies in 0..1; `weight` says how many usual samples it counts for, above 0 and at most 1,000.
    `grader` judged it, `source` is one of SOURCES, `at` Unix microseconds, `request_id` its row in
    the ledger or "", `cost` picodollars of answer and judgement together."""

    task: str
    model: str
    run: str
    sample: str
    score: float
    at: int
    grader: str
    source: str = "benchmark"
    metric: str = METRIC
    variant: str = ""
    weight: float = 1.0
    request_id: str = ""
    cost: int = 0


class Sums(NamedTuple):
    """A cell's sums of one run and source in one week (`week` is its Monday, 0:00 UTC, in Unix
    seconds). `n` answers of together `weight` thousandths; `weight_squares` is the sum of the
    squared weights in millionths. `total` and `squares` are the sums of weight times score, and of
    weight times squared score, in thousandths of millionths (a squared score is rounded to
    millionths before it is added). `last_at` is the newest answer's time, `cost` picodollars."""

    task: str
    model: str
    variant: str
    metric: str
    source: str
    run: str
    week: int
    n: int
    weight: int
    weight_squares: int
    total: int
    squares: int
    cost: int
    last_at: int


def week_of(at: int) -> int:
    """The Monday, 0:00 UTC in Unix seconds, of a time in Unix microseconds."""
    seconds = at // MILLION
    return seconds - (seconds - _MONDAY) % _WEEK


def add_scores(connection: Connection, rows: Iterable[Score]) -> int:
    """Write the scores that are not there yet, and add them to the sums; how many those were. A
    score that is there stays as it is. In the order of their keys, so that two writers never wait
    for each other's rows.

    Raises ValueError for a score outside of 0..1, a weight outside of 0..1,000, or another source.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        values = _values(row)
        found.setdefault(tuple(values[name] for name in SCORE_KEY), values)
    if not found:
        return 0
    keys = [scores.c[name] for name in SCORE_KEY]
    statement = upsert(connection, scores).on_conflict_do_nothing().returning(*keys)
    new = connection.execute(statement, [found[key] for key in sorted(found)])
    added = [found[tuple(key)] for key in new]
    _add_sums(connection, added)
    return len(added)


def read_sums(
    connection: Connection, *, task: str | None = None, since: int = 0, metric: str = METRIC
) -> list[Sums]:
    """The sums of `metric`, of one task or of all, from the week of Unix second `since` on."""
    statement = _of(select(*(score_sums.c[name] for name in Sums._fields)), task, metric)
    if since:
        statement = statement.where(score_sums.c.week >= week_of(since * MILLION))
    ordered = statement.order_by(*(score_sums.c[name] for name in SUM_KEY))
    return [Sums(*row) for row in connection.execute(ordered)]


def read_totals(
    connection: Connection, *, task: str | None = None, metric: str = METRIC
) -> list[Sums]:
    """The same with all weeks added up by the database; `week` is the newest."""
    c = score_sums.c
    keys = [c[name] for name in SUM_KEY[:-1]]
    # PostgreSQL sums integers to decimals.
    sums = [cast(func.sum(c[name]), BigInteger) for name in SUM_TOTALS[:-1]]
    statement = select(*keys, func.max(c.week), *sums, func.max(c.last_at)).group_by(*keys)
    return [Sums(*row) for row in connection.execute(_of(statement, task, metric).order_by(*keys))]


def _of(statement: Select[Any], task: str | None, metric: str) -> Select[Any]:
    statement = statement.where(score_sums.c.metric == metric)
    return statement if task is None else statement.where(score_sums.c.task == task)


def stamp(connection: Connection) -> tuple[int, int]:
    """Something that changes whenever scores were added: cheap to look at again and again."""
    row = connection.execute(
        select(func.coalesce(func.sum(score_sums.c.n), 0), func.count()).select_from(score_sums)
    ).one()
    return int(row[0]), int(row[1])


def read_scores(
    connection: Connection, task: str, model: str, *, variant: str = "", metric: str = METRIC
) -> list[Score]:
    """A cell's scores in the order of their time."""
    c = scores.c
    rows = connection.execute(
        select(*(c[name] for name in Score._fields))
        .where(c.task == task, c.model == model, c.variant == variant, c.metric == metric)
        .order_by(c.at, c.run, c.sample)
    )
    found = (Score(*row) for row in rows)
    return [_read(row) for row in found]


def read_live(
    connection: Connection,
    task: str,
    model: str,
    streams: Iterable[Sequence[str]],
    *,
    first: int,
    newest: int,
) -> list[Score]:
    """A cell's scores of live traffic in the order of their time: of each of `streams` (groups of
    sources) the `first`, and of all of them together the `newest`. Of the plain prompt and METRIC;
    no more of a source is read than that."""
    c = scores.c
    order = (c.at, c.run, c.sample)
    rows: set[Score] = set()
    groups = [frozenset(group) for group in streams]
    for source in frozenset[str]().union(*groups):
        of = select(*(c[name] for name in Score._fields)).where(
            c.task == task, c.model == model, c.source == source
        )
        of = of.where(c.variant == "", c.metric == METRIC)
        rows.update(Score(*row) for row in connection.execute(of.order_by(*order).limit(first)))
        latest = of.order_by(*(column.desc() for column in order)).limit(newest)
        rows.update(Score(*row) for row in connection.execute(latest))
    ordered = sorted(rows, key=_by_time)
    wanted = set(ordered[-newest:])
    for group in groups:
        wanted.update([row for row in ordered if row.source in group][:first])
    return [_read(row) for row in sorted(wanted, key=_by_time)]


def _by_time(row: Score) -> tuple[int, str, str]:
    return row.at, row.run, row.sample


def _read(row: Score) -> Score:
    return row._replace(score=row.score / MILLION, weight=row.weight / THOUSAND)


def _values(row: Score) -> dict[str, Any]:
    """The row as it is stored."""
    if not 0.0 <= row.score <= 1.0:
        raise ValueError(f"A score lies in 0..1; that of sample {row.sample!r} is {row.score}.")
    if not 0.0 < row.weight <= _HEAVIEST:
        raise ValueError(
            f"A weight lies in 0..{_HEAVIEST:.0f}; that of {row.sample!r} is {row.weight}."
        )
    if row.source not in SOURCES:
        raise ValueError(f"A score's source is one of {', '.join(SOURCES)}, not {row.source!r}.")
    values = row._asdict()
    values["score"] = round(row.score * MILLION)
    values["weight"] = max(1, round(row.weight * THOUSAND))
    return values


def _add_sums(connection: Connection, added: Iterable[dict[str, Any]]) -> None:
    sums: dict[tuple[Any, ...], list[int]] = {}
    for row in added:
        key = (*(row[name] for name in SUM_KEY[:-1]), week_of(row["at"]))
        so_far = sums.setdefault(key, [0] * len(SUM_TOTALS))
        score, weight = row["score"], row["weight"]
        square = (score * score + MILLION // 2) // MILLION
        terms = (1, weight, weight * weight, weight * score, weight * square, row["cost"])
        for place, term in enumerate(terms):
            so_far[place] += term
        so_far[-1] = max(so_far[-1], row["at"])
    if not sums:
        return
    statement = upsert(connection, score_sums)
    new, old = statement.excluded, score_sums.c
    changed = {name: old[name] + new[name] for name in SUM_TOTALS[:-1]}
    latest = case((new.last_at > old.last_at, new.last_at), else_=old.last_at)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=SUM_KEY, set_={**changed, "last_at": latest}
        ),
        [
            dict(zip((*SUM_KEY, *SUM_TOTALS), (*key, *sums[key]), strict=True))
            for key in sorted(sums)
        ],
    )

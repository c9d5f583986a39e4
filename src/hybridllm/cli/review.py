"""`hybridllm review`: what has changed since the policy was made, and what it should change."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from hybridllm.cli.output import print_json
from hybridllm.cli.review_document import document
from hybridllm.cli.review_tables import show
from hybridllm.cli.tables import console
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.config_file.load import FILE
from hybridllm.engine.measured import measured_in, with_measured
from hybridllm.errors import ConfigError, ErrorKind, HybridError
from hybridllm.ledger.paths import store_url
from hybridllm.reports import open_ledger
from hybridllm.reports.review import Review
from hybridllm.reports.review import review as make_review
from hybridllm.reports.review_apply import Change, change
from hybridllm.reports.review_pages import html as html_page
from hybridllm.reports.review_pages import markdown as markdown_page
from hybridllm.reports.review_store import keep, last


def review(
    *,
    preset: str | None = None,
    workload: str | None = None,
    last: Annotated[bool, Parameter(negative="")] = False,
    save: Annotated[bool, Parameter(negative="")] = False,
    apply: Annotated[bool, Parameter(negative="")] = False,
    task: tuple[str, ...] = (),
    yes: Annotated[bool, Parameter(negative="")] = False,
    markdown: Path | None = None,
    html: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
) -> None:
    """What has changed since the routes were chosen, and which should change. Nothing is sent.

    Prices, limits and withdrawals against today's catalogue; models that would win a task by the
    router's own judgement; the saving on the last 30 days. Examples:

        hybridllm review --preset guide

        hybridllm review --html review.html --save

        hybridllm review --apply --task classification

    Parameters
    ----------
    preset
        The tasks, models and prices to review: default (today's) or guide (April 2026).
    workload
        Reckon with this month (a TOML file, or `guide`) and not with the ledger's last 30 days.
    last
        Show the review that was kept last, of a gateway or by --save, and make none.
    save
        Keep this one in the ledger's store.
    apply
        Write the proposals into the configuration file: shows the difference, asks, and keeps a
        backup. Your own lines stay, as comments where they give way.
    task
        With --apply, the proposals for these tasks alone.
    yes
        With --apply, do not ask.
    markdown
        Write the report to this file as Markdown.
    html
        Write it to this file as a page that opens offline.
    json
        Print one JSON document, its dollars exact.
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The directory of the ledger, as given to serve.
    store
        The URL of another store to read, without loading any journal into it.
    """
    settings = load_config(str(config) if config else None, preset)
    _check_tasks(task, settings)
    place = settings.ledger
    if ledger is not None:
        place = msgspec.structs.replace(place, directory=str(ledger))
    settings = msgspec.structs.replace(settings, ledger=place)
    found = _kept(settings, store) if last else _made(settings, store, workload, save=save)
    for path, text in ((markdown, markdown_page), (html, html_page)):
        if path is not None:
            _write(path, text(found))
            print(f"Wrote {path}.", file=sys.stderr)
    if json:
        print_json(document(found))
    elif markdown is None and html is None and not apply:
        show(found, console())
    if apply:
        _apply(settings, found, task, yes=yes)


_last = last


def _check_tasks(tasks: tuple[str, ...], settings: Config) -> None:
    for name in tasks:
        if name not in settings.tasks:
            raise ConfigError(
                f'There is no task "{name}".',
                field="task",
                remedy=f"Known: {', '.join(sorted(settings.tasks))}.",
            )


def _kept(settings: Config, store: str | None) -> Review:
    engine = open_ledger(settings.ledger, store)
    try:
        return _last(engine)[0]
    finally:
        engine.dispose()


def _made(settings: Config, store: str | None, workload: str | None, *, save: bool) -> Review:
    """The review as of now; on the ledger's traffic where there is a ledger."""
    now = _now()
    settings = with_measured(settings, measured_in(store or store_url(settings.ledger), settings))
    try:
        engine = open_ledger(settings.ledger, store)
    except HybridError as e:
        if e.kind is not ErrorKind.NOT_FOUND or save:
            raise
        return make_review(settings, now, workload=workload or "guide")
    try:
        mixed = None if workload is not None else engine
        found = make_review(settings, now, mixed, workload=workload or "guide")
        if save:
            keep(engine, found, "cli", now)
        return found
    finally:
        engine.dispose()


def _now() -> datetime:
    return datetime.now(UTC)


# -- applying


def _apply(settings: Config, found: Review, tasks: tuple[str, ...], *, yes: bool) -> None:
    path = Path(settings.path or FILE)
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        text = ""
    changed = change(text, settings, found, tasks)
    if not changed.diff:
        print("Nothing to change: every route stays as it is.")
        return
    print(changed.diff)
    if not yes and not _agreed(path):
        print("Nothing was changed.")
        return
    backup = _replace(path, changed)
    kept = f" What it was is in {backup}." if backup else ""
    print(f"Changed {path}.{kept} A running gateway takes it up by itself.")


def _agreed(path: Path) -> bool:
    """Asks. Where nobody can answer, the answer is no."""
    if not sys.stdin.isatty():
        print("Nobody is there to ask: --yes changes the file.", file=sys.stderr)
        return False
    return input(f"\nChange {path} so? [y/N] ").strip().lower() in ("y", "yes")


def _replace(path: Path, changed: Change) -> Path | None:
    """Put the new text in the file's place, checked as a configuration first; the backup's path.

    Raises ConfigError where the new text is no configuration; the file is then as it was.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(changed.after, "utf-8", newline="")
    try:
        load_config(str(draft))
        backup = None
        if path.exists():
            draft.chmod(path.stat().st_mode)
            stamp = _now().strftime("%Y%m%dT%H%M%SZ")
            backup = path.with_name(f"{path.name}.{stamp}.bak")
            backup.write_bytes(path.read_bytes())
            backup.chmod(path.stat().st_mode)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return backup


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as e:
        raise ConfigError(f"{path} cannot be written: {e.strerror}.") from None

"""`hybridllm tokens`: how many tokens a text, a request, an image or a PDF makes at each model."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from hybridllm.catalog.structs import Model
from hybridllm.cli.inputs import Source, read_source
from hybridllm.cli.output import dollars, money, print_json
from hybridllm.cli.tables import console, counted, table
from hybridllm.config import Config
from hybridllm.config_file import load_config
from hybridllm.config_file.document import did_you_mean
from hybridllm.errors import HybridError, RequestError
from hybridllm.planning.counted import Basis, Estimate, Key, Range, by_key, estimate, price_in
from hybridllm.planning.material import Material, read_material
from hybridllm.tokens.calibration import MILLION, Calibration
from hybridllm.wire.telling import DialectName

_BASES: dict[Basis, str] = {
    "exact": "exact: the model's own tokenizer",
    "counted": "tokenizer and published rules",
    "calibrated": "calibrated",
    "assumed": "assumed",
    "asked": "the provider's own count",
}


def tokens(
    file: Source | None = None,
    *,
    model: Annotated[list[str] | None, Parameter(negative="")] = None,
    all: Annotated[bool, Parameter(negative="")] = False,
    exact: Annotated[bool, Parameter(negative="")] = False,
    calibration: Annotated[bool, Parameter(negative="")] = False,
    dialect: DialectName | None = None,
    preset: str | None = None,
    config: Path | None = None,
    ledger: Path | None = None,
    store: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """How many tokens a text, request, image or PDF makes, model by model, and what they cost.

    Nothing is sent but with --exact. Examples:

        hybridllm tokens prompt.txt --all

        hybridllm tokens request.json --model claude-sonnet-4-6 --model gpt-4o

        hybridllm tokens --calibration

    Parameters
    ----------
    file
        A text, the JSON body of a request in any dialect, an image or a PDF; `-` reads standard
        input.
    model
        A model, by any of its names; may be given again. Default: the models of the tasks.
    all
        Every chat model of the catalogue.
    exact
        Ask the providers that count (Anthropic, Google), for which there is a key. It is free.
    calibration
        Show what the ledger has taught of tokens a byte, and how far estimates were off.
    dialect
        The request's dialect [default: told from its shape].
    preset
        The tasks, models and prices: default (today's) or guide (April 2026).
    config
        The configuration file [default: $HYBRIDLLM_CONFIG, else ./hybridllm.toml if it is there].
    ledger
        The ledger's directory [default: the configuration's].
    store
        Another store's URL.
    json
        Print one JSON document.
    """
    settings = load_config(str(config) if config else None, preset)
    if calibration:
        known = _known(config, ledger, store, needed=True)
        (_print_calibrations if json else _show_calibrations)(known)
        return
    if file is None:
        raise RequestError(
            "There is nothing to count.", remedy="Give a file, or - for standard input."
        )
    material = read_material(read_source(file), dialect)
    models = _models(settings, model, all)
    known = _known(config, ledger, store, needed=False)
    found = _estimates(material, models, settings, by_key(known), exact)
    if json:
        print_json(
            {
                "text_bytes": material.text_bytes,
                "kind": material.kind,
                "estimates": [_document(one) for one in found],
            }
        )
    else:
        _show(material, found)


def _models(settings: Config, names: list[str] | None, every: bool) -> list[Model]:
    """The models to count for. Raises RequestError for a name that is none."""
    catalog = settings.catalog
    if every:
        return [model for model in catalog.models.values() if model.kind == "chat"]
    if names is None:
        ids = [id for task in settings.tasks.values() for id in task.candidates]
        return [catalog.models[id] for id in dict.fromkeys(catalog.names.get(i, i) for i in ids)]
    for name in names:
        if catalog.names.get(name, name) not in catalog.models:
            raise RequestError(
                f'There is no model "{name}" in the catalogue as of {catalog.as_of}.',
                field="model",
                remedy=did_you_mean(name, catalog.names) + " See hybridllm models.",
            )
    return [catalog.models[catalog.names.get(name, name)] for name in dict.fromkeys(names)]


def _known(
    config: Path | None, ledger: Path | None, store: str | None, *, needed: bool
) -> list[Calibration]:
    """What the ledger has taught; nothing where there is no ledger and none is `needed`."""
    from hybridllm.cli.report_parts import find_ledger
    from hybridllm.ledger.learning import calibrations

    try:
        engine = find_ledger(config, ledger, store)
    except HybridError:
        if needed or store is not None or ledger is not None:
            raise
        return []
    try:
        return calibrations(engine)
    finally:
        engine.dispose()


def _estimates(
    material: Material,
    models: list[Model],
    settings: Config,
    known: dict[Key, Calibration],
    exact: bool,
) -> list[Estimate]:
    day = time.strftime("%Y-%m-%d", time.gmtime())
    found = [estimate(material, model, day, known) for model in models]
    if not exact:
        return found
    from hybridllm.planning.exact import ask

    said = asyncio.run(ask(material, models, settings))
    for model, one in zip(models, found, strict=True):
        answer = said.get(model.id)
        if isinstance(answer, HybridError):
            one.notes.append(f"not asked: {answer.message}")
        elif answer is not None:
            one.notes.append(f"the estimate was {one.tokens:,}")
            one.basis, one.text = "asked", Range(answer, answer, answer)
            one.images, one.pages = Range(), Range()
            price_in(one, model, day)
    return found


def _document(one: Estimate) -> dict[str, Any]:
    return {
        "model": one.model,
        "tokens": one.tokens,
        "low": one.low,
        "high": one.high,
        "text": one.text.tokens,
        "images": one.images.tokens,
        "pages": one.pages.tokens,
        "basis": one.basis,
        "reports": one.reports,
        "input_usd": None if one.cost is None else dollars(one.cost),
        "fits": one.fits,
        "notes": one.notes,
    }


def _show(material: Material, found: list[Estimate]) -> None:
    out = console()
    out.print(_heading(material) + "\n")
    shown = table(footer=False)
    shown.add_column("MODEL", style="cyan", no_wrap=True)
    shown.add_column("TOKENS", justify="right", no_wrap=True)
    shown.add_column("WITHIN", justify="right", no_wrap=True)
    parts = [name for name in ("images", "pages") if any(getattr(o, name).tokens for o in found)]
    for name in parts:
        shown.add_column(f"OF {name.upper()}", justify="right", no_wrap=True)
    shown.add_column("INPUT COSTS", justify="right", no_wrap=True)
    shown.add_column("BASIS")
    notes: dict[str, list[str]] = {}
    for one in sorted(found, key=lambda o: (o.cost is None, o.cost or 0)):
        for note in one.notes:
            notes.setdefault(note, []).append(one.model.partition("/")[2])
        basis = _BASES[one.basis] + ("" if one.fits else "; does not fit its context")
        if one.basis == "calibrated":
            basis += f" over {one.reports:,} replies"
        shown.add_row(
            escape(one.model),
            f"{one.tokens:,}",
            "" if one.low == one.high else f"{one.low:,} - {one.high:,}",
            *(f"{getattr(one, name).tokens:,}" for name in parts),
            "unknown" if one.cost is None else money(one.cost, 4),
            basis,
        )
    out.print(shown)
    for note, models in notes.items():
        which = "every model" if len(models) == len(found) else ", ".join(models)
        out.print(f"\n[dim]{escape(which)}: {escape(note)}.[/dim]")


def _heading(material: Material) -> str:
    said = [f"{counted(material.text_bytes, 'byte')} of {material.kind}"]
    if not material.text_bytes:
        said = []
    for number, thing in (
        (material.framed, "message"),
        (len(material.tools), "tool"),
        (len(material.images), "image"),
        (len(material.pages), "PDF"),
    ):
        if number:
            said.append(counted(number, thing))
    sizes = [f"{i.size[0]:,} x {i.size[1]:,}" for i in material.images if i.size]
    pages = [counted(pages, "page") for pages in material.pages if pages]
    return ", ".join(said + sizes + pages) or "Nothing"


# -- calibrations


def _print_calibrations(known: list[Calibration]) -> None:
    print_json(
        {
            "calibrations": [
                {
                    "model": one.model,
                    "kind": one.kind,
                    "tokens_per_kbyte": one.tokens_per_kbyte,
                    "started_at": one.start / 1000,
                    "replies": one.reports,
                    "mape": one.error / MILLION,
                    "mape_uncalibrated": one.start_error / MILLION,
                }
                for one in known
            ]
        }
    )


def _show_calibrations(known: list[Calibration]) -> None:
    out = console()
    if not known:
        out.print("Nothing was learned yet: no provider has reported on a long enough text.")
        return
    out.print(_calibration_table(known))
    out.print(
        "\n[dim]MAPE: by how much estimates were off, in the mean over the last 64 replies, before "
        "each was known; WITHOUT: what the starting ratio would have been off by.[/dim]"
    )


def _calibration_table(known: list[Calibration]) -> Table:
    shown = table(footer=False)
    shown.add_column("MODEL", style="cyan", no_wrap=True)
    shown.add_column("TEXT", no_wrap=True)
    for name in ("REPLIES", "TOKENS/KB", "STARTED AT", "MAPE", "WITHOUT"):
        shown.add_column(name, justify="right", no_wrap=True)
    for one in known:
        shown.add_row(
            escape(one.model),
            escape(one.kind),
            f"{one.reports:,}",
            f"{one.ratio / 1000:.1f}",
            f"{one.start / 1000:.1f}",
            f"{one.error / MILLION:.1%}",
            f"{one.start_error / MILLION:.1%}",
        )
    return shown

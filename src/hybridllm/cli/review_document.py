"""A review as one JSON document, its dollars exact."""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.catalog.structs import Rates
from hybridllm.cli.output import dollars
from hybridllm.reports.review import Review
from hybridllm.reports.review_catalog import PriceChange
from hybridllm.reports.review_routes import Proposal, Route
from hybridllm.reports.review_words import risk_words

_MTOK = 1_000_000


def document(found: Review) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "at": found.at,
        "preset": found.preset,
        "reference_catalog": found.reference,
        "current_catalog": found.current,
        "source": found.source,
        "changes_since": found.since,
        "mix": found.mix,
        "actual_usd": _usd(found.actual),
        "believed_usd": dollars(found.believed),
        "today_usd": dollars(found.today),
        "proposed_usd": dollars(found.proposed),
        "saving_usd": dollars(found.today - found.proposed),
        "qualities": {"measured": found.measured, "assumed": found.assumed},
        "prices": [_price(one) for one in found.prices],
        "future_prices": [_price(one) for one in found.future],
        "withdrawals": [
            {
                "model": one.model,
                "on": one.on or None,
                "days": one.days,
                **msgspec.structs.asdict(one.use),
            }
            for one in found.withdrawals
        ],
        "limits": [msgspec.structs.asdict(one) for one in found.limits],
        "quality_moved": [msgspec.structs.asdict(one) for one in found.moved],
        "routes": [_route(route) for route in found.routes],
    }


def _price(one: PriceChange) -> dict[str, Any]:
    return {
        "model": one.model,
        "since": one.since or None,
        "before_usd_per_mtok": _rates(one.before),
        "after_usd_per_mtok": _rates(one.after),
        "new_tiers": [{"above_input_tokens": start, **_rates(rates)} for start, rates in one.tiers],
        "tasks": one.tasks,
    }


def _rates(rates: Rates) -> dict[str, str]:
    """By kind, of those billed apart."""
    found = {name: getattr(rates, name) for name in rates.__struct_fields__}
    return {name: dollars(rate * _MTOK) for name, rate in found.items() if rate is not None}


def _route(route: Route) -> dict[str, Any]:
    return {
        "task": route.task,
        "tier": route.tier,
        "bar": route.bar,
        "calls": route.calls,
        "has_traffic": route.real,
        "input_tokens": route.input_tokens,
        "output_tokens": route.output_tokens,
        "believed_model": route.believed_model,
        "believed_usd": _usd(route.believed),
        "model": route.model,
        "cost_usd": _usd(route.cost),
        "must_change": route.must or None,
        "ahead": [
            {"since": one.since, "model": one.model, "cost_usd": _usd(one.cost)}
            for one in route.ahead
        ],
        "proposal": None if route.proposal is None else _proposal(route.proposal),
        "rivals": [_proposal(rival) for rival in route.rivals],
    }


def _proposal(best: Proposal) -> dict[str, Any]:
    like = best.assumption
    return {
        "model": best.model,
        "cost_usd": dollars(best.cost),
        "saving_usd": dollars(best.saving),
        "quality": best.value,
        "samples": best.samples,
        "assumption": None if like is None else msgspec.structs.asdict(like),
        "risk": risk_words(best),
        "outlook": [
            {
                "since": one.since,
                "model": one.model,
                "cost_usd": _usd(one.cost),
                "proposed_usd": dollars(one.proposed),
            }
            for one in best.outlook
        ],
    }


def _usd(picodollars: int | None) -> str | None:
    return None if picodollars is None else dollars(picodollars)

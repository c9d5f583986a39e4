"""A reply on its way out: at the profile's pace, and broken where a fault breaks it."""

from __future__ import annotations

from msgspec import Struct, structs

from hybridllm.simulators.ask import Answer, Ask, Billed
from hybridllm.simulators.calls import CallRecord
from hybridllm.simulators.directives import Directive
from hybridllm.simulators.exchange import Exchange
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.profiles import Profile
from hybridllm.simulators.provider import Generation, Headers, Provider, header

STALL_SECONDS = 3600.0
_EVENTS_A_WRITE = 16


class Work(Struct):
    """A call that will be answered."""

    endpoint: Generation
    ask: Ask
    directive: Directive
    answers: list[Answer]
    billed: Billed
    headers: Headers


class Delivery:
    """One reply. Notes in `record` how it ended, where not well. Raises Gone when the caller has
    left."""

    def __init__(
        self,
        exchange: Exchange,
        provider: Provider,
        profile: Profile,
        work: Work,
        faults: dict[str, Fault],
        record: CallRecord,
    ) -> None:
        self._exchange = exchange
        self._provider = provider
        self._profile = profile
        self._work = work
        self._faults = faults
        self._record = record

    async def whole(self) -> None:
        """The reply in one body; cut and stall come in its middle."""
        exchange, work, faults = self._exchange, self._work, self._faults
        body = work.endpoint.whole(
            work.ask, work.answers, self._reported(), self._record.request_id
        )
        await exchange.pause(self._seconds())
        if "malformed" in faults:
            body = body[: len(body) // 2]
        if "stall" not in faults and "cut" not in faults:
            await exchange.reply(200, body, work.headers)
            return
        half = len(body) // 2
        length = header(b"content-length", len(body))
        await exchange.start(200, [length, *work.headers], b"application/json")
        await exchange.write(body[:half])
        if "stall" in faults:
            await exchange.pause(faults["stall"].seconds or STALL_SECONDS)
        if "cut" in faults:
            self._record.outcome = "cut"
            await exchange.drop()
            return
        await exchange.write(body[half:], more=False)

    async def stream(self) -> None:
        """The reply in events, several to a write where nothing waits between them."""
        exchange, work, faults = self._exchange, self._work, self._faults
        events = work.endpoint.events(
            work.ask,
            work.answers,
            self._reported(),
            self._record.request_id,
            self._profile.event_tokens,
        )
        await exchange.start(200, work.headers, work.endpoint.content_type(work.ask))
        pause = work.directive.event_ms / 1000 + self._seconds() / len(events)
        # A fault beyond the last event comes after it, where only the stream's end is missing.
        breaks: dict[str, int] = {
            kind: min(faults[kind].after_events, len(events))
            for kind in ("stall", "cut", "malformed", "stream_error")
            if kind in faults
        }
        at = 0
        while True:
            due = {kind: faults[kind] for kind, after in breaks.items() if after == at}
            if due and await self._break(due, at):
                return
            if at >= len(events):
                break
            end = at + 1 if pause or breaks else at + _EVENTS_A_WRITE
            await exchange.write(b"".join(events[at:end]))
            await exchange.pause(pause)
            at = min(end, len(events))
        await exchange.write(b"", more=False)

    async def _break(self, due: dict[str, Fault], at: int) -> bool:
        """What goes wrong after `at` events. True: the stream is over."""
        exchange, work, record = self._exchange, self._work, self._record
        if "malformed" in due:
            await exchange.write(work.endpoint.broken_event(work.ask))
        if "stall" in due:
            await exchange.pause(due["stall"].seconds or STALL_SECONDS)
        if "stream_error" in due:
            refused = self._provider.failure(due["stream_error"])
            record.outcome = "error"
            own = work.endpoint.stream_error(work.ask, refused, at)
            await exchange.write(own or self._provider.stream_error(refused, record.request_id))
            await exchange.write(b"", more=False)
            return True
        if "cut" in due:
            record.outcome = "cut"
            await exchange.drop()
            return True
        return False

    def _seconds(self) -> float:
        """How long the whole answer takes after its first byte."""
        pace = self._profile.tokens_per_second
        return self._work.billed.output_tokens / pace if pace else 0.0

    def _reported(self) -> Billed | None:
        """The usage that the reply shows; None to leave it out."""
        billed, fault = self._work.billed, self._faults.get("usage")
        if fault is None:
            return billed
        self._record.reported = False
        if fault.usage == "missing":
            return None
        if fault.usage == "zero":
            return Billed()
        return structs.replace(billed, output_tokens=billed.output_tokens * 10)

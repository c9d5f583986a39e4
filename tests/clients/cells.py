"""The cells of the grid: an SDK, a provider, and what is asserted of every answer in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hybridllm.simulators import Simulators
from tests.clients.schema import check
from tests.clients.talks import TALKS, Heard, Talk, Wish
from tests.clients.tape import Exchange, Tape, Wiretap
from tests.running import RunningGateway

SDKS = ("openai", "anthropic", "google")
PROVIDERS = ("openai", "anthropic", "google")

MODELS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-sonnet-4-6",
    "google": "google/gemini-2.5-flash",
}
THINKERS = {
    "openai": "openai/o3",
    "anthropic": "anthropic/claude-sonnet-4-6",
    "google": "google/gemini-3-flash-preview",
}

FINISH = {
    "openai": {"stop": "stop", "length": "length", "calls": "tool_calls"},
    "anthropic": {"stop": "end_turn", "length": "max_tokens", "calls": "tool_use"},
    "google": {"stop": "STOP", "length": "MAX_TOKENS", "calls": "STOP"},
}
"""Why an answer ended, in each SDK's own word."""


@dataclass
class Cell:
    """One SDK before one provider."""

    sdk: str
    provider: str
    gateway: RunningGateway
    simulators: Simulators
    wiretap: Wiretap
    tape: Tape

    def talk(self, **wish: Any) -> Talk:
        """A conversation with the provider's usual model, or with `model`."""
        model = wish.pop("model", MODELS[self.provider])
        return TALKS[self.sdk](self.gateway, self.tape, Wish(model=model, **wish))

    def ask(self, prompt: str, *, stream: bool = False, **wish: Any) -> Heard:
        """A conversation of one turn, with all that is asserted of any answer."""
        talk = self.talk(**wish)
        talk.say(prompt)
        return self.checked(talk.turn(stream=stream))

    def checked(self, heard: Heard) -> Heard:
        """The last answer has the SDK's declared shape, came from the provider that was asked, and
        shows the usage that the provider billed; so does its one row in the ledger."""
        exchange = self.tape.last
        assert exchange.status == 200
        check(self.sdk, exchange)
        assert exchange.headers["x-hybridllm-provider"] == self.provider
        self.check_usage(heard, exchange)
        return heard

    def check_usage(self, heard: Heard, exchange: Exchange) -> None:
        (row,) = self.gateway.attempts(exchange.request_id)
        (call,) = [c for c in self.simulators.calls() if c.attempt == f"{exchange.request_id}-1"]
        billed = call.billed
        assert billed is not None
        for name in billed.__struct_fields__:
            assert row[name] == getattr(billed, name), name
        assert (row["provider"], row["outcome"]) == (self.provider, "ok")
        assert (row["answered"], row["usage_estimated"]) == (True, False)
        assert (row["dialect_in"], row["dialect_out"]) == (self.sdk, self.provider)
        assert row["cost"] > 0
        shown = heard.usage
        assert shown.input == billed.all_input
        assert shown.cached == billed.cache_read_tokens
        assert shown.output == billed.output_tokens
        assert shown.reasoning == billed.reasoning_tokens
        if shown.written is not None:
            assert shown.written == billed.cache_write_tokens + billed.cache_write_long_tokens

    def finish(self, kind: str) -> str:
        return FINISH[self.sdk][kind]

    def sent(self) -> Any:
        """The last request that the provider was sent."""
        return self.wiretap.sent(self.provider)


def said(text: str) -> str:
    """A prompt to which a simulated model answers `text`."""
    return f"[[sim say {json.dumps(text)}]]"


Feature = Callable[[Cell], None]


def turns_sent(provider: str, body: Any) -> list[tuple[str, str]]:
    """Who said what in a request as a provider got it: texts alone, the system prompt first."""
    match provider:
        case "openai":
            return [(m["role"], _text(m["content"])) for m in body["messages"]]
        case "anthropic":
            turns = [(m["role"], _text(m["content"])) for m in body["messages"]]
            return [("system", _text(body["system"])), *turns] if "system" in body else turns
        case _:
            roles = {"model": "assistant"}
            turns = [(roles.get(c["role"], c["role"]), _text(c["parts"])) for c in body["contents"]]
            system = body.get("systemInstruction")
            return [("system", _text(system["parts"])), *turns] if system else turns


def results_sent(provider: str, body: Any) -> list[str]:
    """The tool results in a request as a provider was sent it."""
    match provider:
        case "openai":
            return [_text(m["content"]) for m in body["messages"] if m["role"] == "tool"]
        case "anthropic":
            blocks = [b for m in body["messages"] for b in m["content"] if isinstance(b, dict)]
            return [_text(b["content"]) for b in blocks if b["type"] == "tool_result"]
        case _:
            parts = [part for content in body["contents"] for part in content["parts"]]
            found = [p["functionResponse"] for p in parts if "functionResponse" in p]
            return ["".join(response["response"].values()) for response in found]


def images_sent(provider: str, body: Any) -> list[str]:
    """The images in a request as a provider was sent it, as base64."""
    match provider:
        case "openai":
            parts = [part for m in body["messages"] for part in m["content"]]
            urls = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
            return [url.removeprefix("data:image/png;base64,") for url in urls]
        case "anthropic":
            blocks = [block for m in body["messages"] for block in m["content"]]
            return [b["source"]["data"] for b in blocks if b["type"] == "image"]
        case _:
            parts = [part for content in body["contents"] for part in content["parts"]]
            return [p["inlineData"]["data"] for p in parts if "inlineData" in p]


def signatures_sent(provider: str, body: Any) -> list[str]:
    """The signed thoughts in a request as a provider was sent it."""
    match provider:
        case "openai":
            return []
        case "anthropic":
            blocks = [b for m in body["messages"] for b in m["content"] if isinstance(b, dict)]
            return [b["signature"] for b in blocks if b["type"] == "thinking"]
        case _:
            parts = [part for content in body["contents"] for part in content["parts"]]
            return [p["thoughtSignature"] for p in parts if "thoughtSignature" in p]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part.get("text"))

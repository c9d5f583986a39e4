"""What is asked of a target: the dialect, whether it streams, the pace, how many at once."""

from __future__ import annotations

import json
from dataclasses import dataclass

BODY_BYTES = 1024
CHUNKS = 64
"""Content chunks in a stream of the upstream."""

_TEXT = (
    "Read the change below as its reviewer would. Say which promises of the ledger it keeps, name "
    "every place where a failure could pass unseen, and give the smallest test that would show it. "
)


@dataclass(frozen=True)
class Scenario:
    """A kind of load. `pace` is a word in the upstream's model names, and a task of the gateway's:
    chat answers at once, slow waits 10 ms between chunks, crawl 250 ms. `upstream` is the dialect
    that the provider speaks."""

    name: str
    title: str
    caller: str = "openai"
    upstream: str = "openai"
    stream: bool = False
    pace: str = "chat"
    connections: int = 64

    @property
    def crosses(self) -> bool:
        """Whether caller and provider speak different dialects, so that only a gateway helps."""
        return self.caller != self.upstream

    @property
    def path(self) -> str:
        return "/v1/messages" if self.caller == "anthropic" else "/v1/chat/completions"

    @property
    def task(self) -> str:
        """The gateway's task whose candidates are the upstream's models of this pace."""
        return self.pace if self.upstream == "openai" else f"{self.pace}_anthropic"

    @property
    def expect(self) -> str:
        """What the generator must find in a reply."""
        return self.caller if self.stream else "json"

    def body(self, model: str) -> bytes:
        """A request of BODY_BYTES bytes."""
        said: dict[str, object] = {
            "model": model,
            "max_tokens": 256,
            "temperature": 0.2,
            "messages": [{"role": "user", "content": ""}],
        }
        if self.caller == "openai":
            said["messages"] = [
                {"role": "system", "content": "You are a careful assistant."},
                {"role": "user", "content": ""},
            ]
        if self.stream:
            said["stream"] = True
            if self.caller == "openai":
                said["stream_options"] = {"include_usage": True}
        room = BODY_BYTES - len(json.dumps(said))
        messages = said["messages"]
        assert isinstance(messages, list)
        messages[-1]["content"] = (_TEXT * (room // len(_TEXT) + 1))[:room]
        return json.dumps(said).encode()


CHAT = Scenario("chat", "Chat, same dialect")
CHAT_CROSS = Scenario("chat-cross", "Chat, Anthropic in, OpenAI out", caller="anthropic")
CHAT_BACK = Scenario("chat-back", "Chat, OpenAI in, Anthropic out", upstream="anthropic")
STREAM = Scenario("stream", "Stream, saturated", stream=True, connections=32)
STREAM_CROSS = Scenario(
    "stream-cross",
    "Stream, saturated, Anthropic in, OpenAI out",
    caller="anthropic",
    stream=True,
    connections=32,
)
PACED = Scenario("paced", "Stream, 10 ms a chunk", stream=True, pace="slow", connections=32)
PACED_CROSS = Scenario(
    "paced-cross",
    "Stream, 10 ms a chunk, Anthropic in, OpenAI out",
    caller="anthropic",
    stream=True,
    pace="slow",
    connections=32,
)
CRAWL = Scenario("streams", "Slow streams at once", stream=True, pace="crawl", connections=2000)

WINDOWS = (CHAT, CHAT_CROSS, CHAT_BACK, STREAM, STREAM_CROSS, PACED, PACED_CROSS)
"""The scenarios that are measured in windows, in this order."""
PACES = ("chat", "slow", "crawl")

"""How fast, how chatty and how strict the simulated providers are."""

from __future__ import annotations

from msgspec import Struct

from hybridllm.errors import ConfigError


class Profile(Struct, frozen=True, kw_only=True):
    """`first_ms` is the time to the first byte, `tokens_per_second` the pace after it (0: all at
    once). `output_tokens` is the usual length of an answer, `thinking_tokens` of reasoning that a
    request asks for. `event_tokens` is how many pieces of text one stream event carries.
    `requests_per_minute` and `tokens_per_minute` limit each key; 0 is no limit. `caching` False
    turns implicit prompt caching off."""

    first_ms: int = 0
    tokens_per_second: int = 0
    output_tokens: int = 40
    thinking_tokens: int = 24
    event_tokens: int = 1
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    caching: bool = True
    batch_seconds: float = 0.0
    batch_jitter: float = 0.0
    batch_enqueued_tokens: int = 0
    batch_enqueued_requests: int = 0


PROFILES: dict[str, Profile] = {
    "fast": Profile(event_tokens=8),
    "realistic": Profile(
        first_ms=400,
        tokens_per_second=80,
        output_tokens=250,
        thinking_tokens=200,
        batch_seconds=600.0,
        batch_jitter=0.5,
    ),
}


def get_profile(profile: str | Profile) -> Profile:
    """A profile by name. Raises ConfigError naming the known ones."""
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ConfigError(
            f"There is no simulator profile '{profile[:50]}'.",
            remedy=f"Choose one of: {', '.join(PROFILES)}.",
        )
    return PROFILES[profile]

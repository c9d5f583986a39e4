"""What a running set of simulators shows, whether it runs in this process or in its own."""

from __future__ import annotations

from msgspec import Struct

KEY = "sim-key"


class Addresses(Struct, frozen=True, kw_only=True):
    """Where each simulator listens: `http://127.0.0.1:9101`."""

    openai: str
    anthropic: str
    google: str


class Surface:
    """URLs and environment for the SDKs. Their conventions differ: OpenAI's base URL ends in
    /v1, the others' have no version."""

    _addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        """Raises RuntimeError before the start and after the stop."""
        if self._addresses is None:
            raise RuntimeError("The simulators are not running; use 'with Simulators() as sims:'.")
        return self._addresses

    @property
    def openai_url(self) -> str:
        return self.addresses.openai + "/v1"

    @property
    def anthropic_url(self) -> str:
        return self.addresses.anthropic

    @property
    def google_url(self) -> str:
        return self.addresses.google

    @property
    def control(self) -> str:
        """The control API's base URL; the same on every port."""
        return self.addresses.openai + "/_sim"

    def env(self) -> dict[str, str]:
        """What to set so that the SDKs, and hybridllm itself, speak to the simulators."""
        return environment(self.addresses)


def environment(addresses: Addresses) -> dict[str, str]:
    """The SDKs' usual variables. Any key that begins with `sim-` is good."""
    return {
        "OPENAI_BASE_URL": addresses.openai + "/v1",
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": addresses.anthropic,
        "ANTHROPIC_API_KEY": KEY,
        "GOOGLE_GEMINI_BASE_URL": addresses.google,
        "GEMINI_API_KEY": KEY,
    }

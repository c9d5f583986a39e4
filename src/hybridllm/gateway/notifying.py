"""Where alerts go: targets from the configuration, and a message to one of them by apprise.

Apprise knows a hundred services by their URLs (https://github.com/caronc/apprise). It is imported
where targets are configured, and takes half a second.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hybridllm.config import Config
from hybridllm.errors import ConfigError

if TYPE_CHECKING:
    from apprise import NotifyBase

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_KINDS = {
    "recovered": "success",
    "test": "info",
    "degraded": "warning",
    "breaker": "failure",
}


class Target:
    """Somewhere to tell people. `name` is how the configuration spells it where that is a variable,
    else the service: never the URL, which may hold a secret."""

    def __init__(self, name: str, service: NotifyBase) -> None:
        self.name = name
        self._service = service

    def __repr__(self) -> str:
        return f"Target({self.name!r})"

    def send(self, event: str, text: str) -> bool:
        """Whether it was delivered. Takes up to half a minute: not for an event loop."""
        from apprise import Apprise, NotifyType

        sender = Apprise()
        sender.add(self._service)
        kind = NotifyType(_KINDS.get(event, "info"))
        return bool(sender.notify(body=text, title=f"hybridllm: {event}", notify_type=kind))


def targets_of(config: Config, env: Mapping[str, str] | None = None) -> list[Target]:
    """The targets that the configuration names; apprise is needed where there are any. Raises
    ConfigError naming the key, for one that cannot be used."""
    if not config.alerts.urls:
        return []
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "Alerts are configured, but what sends them is not installed.",
            where=config.path,
            field="alerts.urls",
            remedy="Install it with: pip install 'hybridllm[alerts]'.",
        ) from None
    # It would log hosts and paths of its own; what failed is logged here, by the target's name.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(app_id="hybridllm", app_desc="hybridllm", app_url="")
    found: list[Target] = []
    for at, said in enumerate(config.alerts.urls):
        key = f"alerts.urls[{at}]"
        url = _expanded(said, os.environ if env is None else env, key, config.path)
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise ConfigError(
                "This is no URL of a service that apprise knows.",
                where=config.path,
                field=key,
                remedy="Its wiki has the URL of each service: slack://, mailtos://, json://...",
            )
        assert isinstance(service, apprise.NotifyBase)  # noqa: S101 - what is no string is one
        name = said if _VARIABLE.fullmatch(said) else str(service.service_name)
        taken = sum(one.name.partition(" #")[0] == name for one in found)
        found.append(Target(f"{name} #{taken + 1}" if taken else name, service))
    return found


def _expanded(said: str, env: Mapping[str, str], key: str, path: str | None) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if not env.get(name, "").strip():
            raise ConfigError(
                f"The variable {name} is not set.",
                where=path,
                field=key,
                remedy=f"Set {name} in the gateway's environment, or take the URL out.",
            )
        return env[name].strip()

    return _VARIABLE.sub(value, said)

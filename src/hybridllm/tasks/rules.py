"""The configuration's rules: the first that matches names the task."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hybridllm.config import Rule
from hybridllm.errors import ConfigError
from hybridllm.tasks.windows import ends
from hybridllm.wire.dialect import Facts

_SYSTEM_CHARACTERS = 32_768
"""How much of a system prompt's beginning and end a regex searches."""

_TOKENS_PER_KBYTE = 250
"""Rules speak of tokens before any model is chosen: four bytes a token, as of English text."""


class Rules:
    """Rules with their regexes compiled. Raises ConfigError for a regex that is none."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = [(place, rule, _compiled(place, rule)) for place, rule in enumerate(rules)]

    def match(self, facts: Facts) -> tuple[str, str] | None:
        """The task of the first rule of which everything holds, and the rule in words."""
        if not self._rules:
            return None
        tokens = facts.text_bytes * _TOKENS_PER_KBYTE // 1000
        for place, rule, system in self._rules:
            if (
                (rule.tools is None or rule.tools == (facts.tools > 0))
                and (rule.min_input_tokens is None or tokens >= rule.min_input_tokens)
                and (rule.max_input_tokens is None or tokens <= rule.max_input_tokens)
                and (system is None or _found(system, facts.system))
            ):
                return rule.task, f"rule {place + 1} of the configuration matches"
        return None


def _found(regex: re.Pattern[str], system: str) -> bool:
    return any(regex.search(text) for text in ends(system, _SYSTEM_CHARACTERS))


def _compiled(place: int, rule: Rule) -> re.Pattern[str] | None:
    if rule.system is None:
        return None
    try:
        return re.compile(rule.system)
    except re.error as e:
        raise ConfigError(
            f"'{rule.system}' is not a regular expression: {e}.", field=f"rules[{place}].system"
        ) from e

"""What must not be kept of a request is taken out of its texts: who and what can be told by its
form.

Names and addresses of people cannot, short of a model of language; a pattern of one's own takes out
what a business knows the form of (numbers of customers and contracts). Each find becomes its kind
in brackets, so that a text still reads as one.

The sieves are written to take time in proportion to the text. Sources of the checks: card numbers
ISO/IEC 7812-1 (annex B, Luhn's digit), IBANs ISO 13616 (remainder 1 by 97), telephone numbers ITU-T
E.164 (at most 15 digits).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import ip_address
from typing import Any

Check = Callable[[str], bool]
_LEAST_SECRET = 8


def luhn(text: str) -> bool:
    """Whether the digits of `text` are 13 to 19 that end in Luhn's check digit, not all alike."""
    digits = [int(c) for c in text if c.isdecimal()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def iban(text: str) -> bool:
    """Whether the text is an IBAN with right check digits, blanks apart."""
    code = re.sub(r"[ -]", "", text).upper()
    if not 15 <= len(code) <= 34:
        return False
    turned = code[4:] + code[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def _address(text: str) -> bool:
    try:
        found = ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def _telephone(text: str) -> bool:
    digits = sum(c.isdecimal() for c in text)
    if not 8 <= digits <= 15 or _DATE.match(text):
        return False
    return text.startswith(("+", "(", "0")) or len(re.findall(r"\d+", text)) >= 3


_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}(?!\d)|\d{1,2}[-./]\d{1,2}[-./]\d{4}(?!\d)")
_KINDS: tuple[tuple[str, str, Check | None], ...] = (
    (
        "secret",
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,20000}?(?:-----END [A-Z ]{0,40}"
        r"PRIVATE KEY-----|\Z)",
        None,
    ),
    (
        "secret",
        r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16,}|sk_(?:live|test)_[A-Za-z0-9]{10,}"
        r"|rk_live_[A-Za-z0-9]{10,}|AIza[A-Za-z0-9_-]{30,}|AQ\.[A-Za-z0-9_-]{30,}"
        r"|gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
        r"|xox[abeprs]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{20,}"
        r"|pypi-[A-Za-z0-9_-]{20,}|(?:AKIA|ASIA)[A-Z0-9]{16}|ya29\.[A-Za-z0-9_-]{20,}"
        r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,})",
        None,
    ),
    (
        "secret",
        r"(?i:\b(?:bearer|basic) +)[A-Za-z0-9._~+/=-]{12,}",
        None,
    ),
    (
        "secret",
        r"""(?ix) (?<![a-z0-9]) (?:api[ _-]?key|access[ _-]?key|secret(?:[ _-]?key)?|passw(?:or)?d
        |passphrase|auth[ _-]?token|access[ _-]?token|refresh[ _-]?token|client[ _-]?secret)
        ["']? \s{0,3} (?: [:=]|\bis\b ) \s{0,3} ["']? [^\s"',;<>\[\]{}]{4,200} """,
        None,
    ),
    ("email", r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])", None),
    ("iban", r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}\b", iban),
    ("card", r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])", luhn),
    ("ip", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", _address),
    ("ip", r"(?<![\w:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])", _address),
    (
        "phone",
        r"(?<![\w.+/-])(?:\+|\(\+?)?\d{1,4}\)?(?:[ ./()-]{1,2}\d{1,8}){1,6}(?![\w-]|\.\d)"
        r"|(?<![\w.+])\+\d{8,15}(?!\w)",
        _telephone,
    ),
)
_SIEVES = tuple((kind, re.compile(pattern), check) for kind, pattern, check in _KINDS)


class Redactor:
    """Takes out, in this order, the `secrets` (as they stand: keys in use here), what `patterns`
    find, and private keys, API keys, passwords, e-mail addresses, IBANs, card numbers, IP
    addresses and telephone numbers. Raises re.error for a pattern that is none.

    What has been taken out is in `found`, how often by kind, for all texts together.
    """

    def __init__(self, patterns: Iterable[str] = (), secrets: Iterable[str] = ()) -> None:
        self.found: dict[str, int] = {}
        self._secrets = sorted({s for s in secrets if len(s) >= _LEAST_SECRET}, key=len)[::-1]
        own = [("redacted", re.compile(pattern), None) for pattern in patterns]
        self._sieves: tuple[tuple[str, re.Pattern[str], Check | None], ...] = (*own, *_SIEVES)

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            if secret in text:
                self._note("secret", text.count(secret))
                text = text.replace(secret, "[secret]")
        for kind, sieve, check in self._sieves:
            text = sieve.sub(partial(self._taken, kind, check), text)
        return text

    def value(self, value: Any) -> Any:
        """What JSON can say, with every text in it redacted, names of fields too, and numbers that
        have the form of a card's."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.value(held) for name, held in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(held) for held in value]
        if isinstance(value, int) and not isinstance(value, bool) and luhn(str(value)):
            return self.text(str(value))
        return value

    def _taken(self, kind: str, check: Check | None, hit: re.Match[str]) -> str:
        if not hit.group() or (check is not None and not check(hit.group())):
            return hit.group()
        self._note(kind, 1)
        return f"[{kind}]"

    def _note(self, kind: str, times: int) -> None:
        self.found[kind] = self.found.get(kind, 0) + times

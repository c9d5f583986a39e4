"""Thought signatures in Google's dialect: base64 in `thoughtSignature`.

Google's own pass untouched. Another provider's travels as base64 of `hllm1.<origin>.<signature>`
(see `hybridllm.wire.sealing`), because SDKs decode the field as bytes and encode it again, some
with the URL-safe alphabet. Wholly sealed reasoning (Anthropic's redacted_thinking) travels the same
way under the origin `<origin>:sealed`.
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode
from binascii import Error as BadBase64

from msgspec import Struct

from hybridllm.wire.sealing import MARK_BYTES, unwrap, wrap

NATIVE = "google"
FOREIGN_MARK = b64encode(MARK_BYTES)
"""How every wrapped signature begins on the wire: six bytes make exactly eight characters."""

SKIP_VALIDATION = "skip_thought_signature_validator"
"""What Google documents for calls that another model made: from Gemini 3 on, a function call of the
current turn that has no signature is refused.
https://ai.google.dev/gemini-api/docs/thought-signatures"""

_SEALED = ":sealed"


class Seal(Struct, frozen=True):
    """A signature and whose it is. `sealed`: it is the reasoning itself, encrypted."""

    origin: str
    value: str
    sealed: bool = False


def to_wire(value: str, origin: str, sealed: bool = False) -> str:
    """The thoughtSignature that carries `value`, a signature (or sealed reasoning) of `origin`."""
    if origin == NATIVE or not origin:
        return value
    return b64encode(wrap(value, origin + _SEALED * sealed, NATIVE).encode()).decode()


def from_wire(signature: str) -> Seal:
    """Whose the thoughtSignature is, and what it was before it was wrapped."""
    if not signature.startswith(FOREIGN_MARK.decode()):
        return Seal(NATIVE, signature)
    try:
        padded = signature + "=" * (-len(signature) % 4)
        text = urlsafe_b64decode(padded.replace("+", "-").replace("/", "_")).decode()
    except (BadBase64, ValueError):
        return Seal(NATIVE, signature)
    origin, value = unwrap(text, NATIVE)
    if origin.endswith(_SEALED):
        return Seal(origin.removesuffix(_SEALED), value, sealed=True)
    return Seal(origin, value)

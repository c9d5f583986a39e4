"""What must not be kept of a text is taken out of it, and the rest stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridllm.evals.redaction import Redactor, iban, luhn

SENSITIVE = {
    "secret": [
        "sk-proj-abcdEFGH1234567890abcd",
        "sk-ant-api03-abcdEFGH1234567890",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc123def456",
    ],
    "email": ["jane.doe+x@mail.example.co.uk", "müller@beispiel.de"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
    "card": ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"],
    "ip": ["203.0.113.77", "2001:db8:85a3::8a2e:370:7334"],
    "phone": ["+49 30 901820", "+14155552671", "(415) 555-2671", "415-555-2671"],
}


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in SENSITIVE.items() for t in ts])
def test_each_kind_is_taken_out_of_a_sentence(kind: str, text: str) -> None:
    redactor = Redactor()
    assert redactor.text(f"Here: {text}, please.") == f"Here: [{kind}], please."
    assert redactor.found == {kind: 1}


@pytest.mark.parametrize(
    "text",
    [
        "Lunch at 12:30 on 2026-11-25?",
        "Version 3.11.4 of 127.0.0.1, pi is 3.14159265",
        "Order 4111 1111 1111 1112 has a wrong check digit",
        "The invoice of $1,234,567.89 in 2024",
        "std::vector<int> at 10:11:12",
        "https://example.com/a/b?c=1",
    ],
)
def test_what_is_harmless_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_passwords_go_with_what_names_them() -> None:
    for text in ("password: hunter22", 'DB_PASSWORD="hunter22"', "api_key=hunter22"):
        assert "hunter22" not in Redactor().text(text)
    assert "abcdefgh12345678" not in Redactor().text("Authorization: Bearer abcdefgh12345678")


def test_own_patterns_and_keys_in_use_go_too() -> None:
    redactor = Redactor([r"CUST-\d+"], ["a key with blanks"])
    said = redactor.value({"a": ["CUST-77 and a key with blanks"], "n": 4111111111111111, "k": 5})
    assert said == {"a": ["[redacted] and [secret]"], "n": "[card]", "k": 5}
    assert redactor.found == {"redacted": 1, "secret": 1, "card": 1}


def with_check_digit(digits: str) -> str:
    return next(f"{digits}{d}" for d in range(10) if luhn(f"{digits}{d}"))


@given(
    st.text("123456789", min_size=12, max_size=18).filter(lambda d: len(set(d)) > 2),
    st.sampled_from(["", " ", "-"]),
)
def test_every_card_number_is_found_however_it_is_grouped(digits: str, blank: str) -> None:
    number = with_check_digit(digits)
    grouped = blank.join(number[i : i + 4] for i in range(0, len(number), 4))
    said = Redactor().text(f"pay with {grouped} now")
    assert number not in said.replace(blank or "\0", "")


@given(st.text(max_size=200))
def test_what_was_redacted_is_left_alone_the_next_time(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


def test_check_digits_are_checked() -> None:
    assert iban("DE89370400440532013000") and not iban("DE89370400440532013001")
    assert luhn("4111111111111111") and not luhn("4111111111111112")

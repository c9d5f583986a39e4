"""A damaged frame is recognised, and costs no other frame."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.ledger.frames import entries, frame
from tests.ledger.samples import attempt, intent

ENTRIES = [
    intent("hl-1"),
    attempt("hl-1", tags='{"team":"ä\\u0000"}'),
    intent("hl-2", task=""),
    intent("hl-3", upper_cost=2**63 - 1),
    attempt("hl-3", cost=2**63 - 1),
]
FRAMES = [frame(entry) for entry in ENTRIES]
DATA = b"".join(FRAMES)
ENDS = [sum(map(len, FRAMES[: i + 1])) for i in range(len(FRAMES))]


def read(data: bytes) -> list[object]:
    return [placed.entry for placed in entries(data)]


def test_entries_are_read_as_they_were_written_with_their_ends() -> None:
    assert [(p.entry, p.end) for p in entries(DATA)] == list(zip(ENTRIES, ENDS, strict=True))


@settings(deadline=None)
@given(st.integers(0, len(DATA)))
def test_a_file_cut_anywhere_gives_the_entries_before_the_cut(cut: int) -> None:
    assert read(DATA[:cut]) == [e for e, end in zip(ENTRIES, ENDS, strict=True) if end <= cut]


@settings(deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_byte_changed_anywhere_costs_its_own_entry_alone(at: int, change: int) -> None:
    damaged = DATA[:at] + bytes([DATA[at] ^ change]) + DATA[at + 1 :]
    hit = next(i for i, end in enumerate(ENDS) if at < end)
    assert read(damaged) == ENTRIES[:hit] + ENTRIES[hit + 1 :]


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(FRAMES)))
def test_bytes_that_are_no_frame_are_passed_over(rubbish: bytes, before: int) -> None:
    data = b"".join([*FRAMES[:before], rubbish, *FRAMES[before:]])
    assert read(data) == ENTRIES


def test_pages_that_the_disk_lost_are_zeros() -> None:
    assert read(FRAMES[0] + bytes(4096) + FRAMES[1]) == ENTRIES[:2]

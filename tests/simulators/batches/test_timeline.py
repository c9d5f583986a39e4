"""What every batch's clock keeps to, whatever its length and however it ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hybridllm.simulators.timeline import Timeline

SECONDS = st.floats(0, 1e6)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    line = Timeline(
        created=draw(st.floats(0, 1e6)),
        seconds=draw(SECONDS),
        window=draw(st.floats(1, 1e6)),
        lines=draw(st.integers(0, 50_000)),
        stuck=draw(st.integers(0, 3)),
    )
    if draw(st.booleans()):
        line.cancelled = draw(st.floats(line.created, line.end))
    return line


@given(timelines(), st.lists(SECONDS, min_size=2, max_size=20))
def test_what_is_done_grows_and_never_beyond_what_there_is(line, waits):
    done = [line.due(line.created + wait) for wait in sorted(waits)]
    assert done == sorted(done)
    assert all(0 <= one <= line.lines for one in done)


@given(timelines(), SECONDS)
def test_nothing_is_done_after_the_end(line, later):
    assert line.due(line.end) == line.due(line.end + later)


@given(timelines())
def test_only_a_completed_batch_has_done_everything_for_certain(line):
    if line.ending == "completed":
        assert line.stuck == 0 and line.due(line.end) == line.lines
        assert line.end <= line.created + line.window


@given(timelines())
def test_nothing_is_done_before_it_was_made(line):
    assert line.due(line.created - 1) == 0
    assert line.created <= line.begins <= line.finishes

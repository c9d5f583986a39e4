"""Spans of time are read as people write them, and nothing else is."""

import pytest

from hybridllm.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6h", 21600), ("2d", 172_800), ("90s", 90), ("90", 90), ("1.5h", 5400), (" 30 M ", 1800)],
)
def test_a_span_is_so_many_seconds(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1h", "6 hours", "1e9", "nan", "inf", "6h30m", "٣h"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="no span of time"):
        seconds_of(text)

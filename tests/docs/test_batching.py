"""What docs/batching.md says of states is what the lane does."""

from __future__ import annotations

import re

from hybridllm.batching.states import LINES
from tests.docs.blocks import ROOT

ROW = re.compile(r"^\| (`.*?`) \| (`\w+`) \| ", re.MULTILINE)


def test_every_way_of_a_line_is_on_the_page() -> None:
    page = (ROOT / "docs" / "batching.md").read_text()
    shown = {
        (origin, to.strip("`"))
        for origins, to in ROW.findall(page[page.index("## States") :])
        for origin in re.findall(r"`(\w+)`", origins)
    }
    assert shown == {(origin, move.to) for move in LINES for origin in move.origins}

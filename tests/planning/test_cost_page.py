"""The page: one file that fetches nothing, with every figure of the month."""

import re
from html.parser import HTMLParser

import pytest

from hybridllm.cli.output import money
from hybridllm.config_file import load_config
from hybridllm.planning.charts import PALETTE, Curve, Stack, curves, legend, stacked
from hybridllm.planning.comparison import compare
from hybridllm.planning.cost_page import render
from hybridllm.planning.workload import Line, Workload, load_workload

DAY = "2026-04-20"
GUIDE = load_config(preset="guide", env={"HYBRIDLLM_CONFIG": ""})
VOID = {"meta", "br", "img", "link", "input"}


def page_of(month):
    return render(month, GUIDE, compare(month, GUIDE, DAY), money)


@pytest.fixture(scope="module")
def page():
    return page_of(load_workload("guide"))


class Balanced(HTMLParser):
    """Every tag that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_is_whole_and_has_two_charts(page):
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    assert parser.seen.count("svg") == 2


def test_nothing_is_fetched(page):
    assert not re.search(r"(src|href)\s*=|@import|https?://|<script", page)
    assert set(re.findall(r"url\(([^)]*)\)", page)) == {"#inside"}


@pytest.mark.parametrize(
    "figure",
    ["$7,125.00", "$5,377.50", "$4,376.25", "$4,287.94", "$88.31", "244,111", "24.3%", "0.93*"],
)
def test_the_months_figures_are_on_it(page, figure):
    assert figure in page


def test_what_was_assumed_is_said(page):
    assert "Of code_generation: half of the input is shared" in page


def test_an_empty_month_has_a_page_too():
    line = Line(task="analysis", calls=0, input_tokens=10, output_tokens=10)
    assert "nothing to save" in page_of(Workload(name="t", tasks=(line,)))


def test_names_are_no_markup():
    assert "<b>" not in stacked([Stack("<b>", [("<b>x", 1)])], str)
    assert "&lt;b&gt;" in stacked([Stack("<b>", [("<b>x", 1)])], str)


def test_bars_are_to_one_scale():
    widths = re.findall(
        r'<rect[^>]* width="([\d.]+)"',
        stacked([Stack("a", [("x", 100)]), Stack("b", [("x", 50)])], str),
    )
    assert float(widths[0]) + 1 == pytest.approx(2 * (float(widths[1]) + 1), abs=0.2)


def test_what_has_no_colour_of_its_own_is_counted():
    assert f"{12 - len(PALETTE) + 1} others" in legend([f"task {n}" for n in range(12)])


def test_a_curve_lies_within_its_frame():
    drawn = curves([Curve("c", [(0, 0), (1, 1)])], [(0, "0"), (1, "1")], [(0, "0"), (1, "1")])
    path = re.search(r'<path d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)" clip', drawn)
    x1, y1, x2, y2 = map(float, path.groups())
    assert x1 < x2 and y1 > y2

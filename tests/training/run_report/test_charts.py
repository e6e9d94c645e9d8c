"""Charts: what is drawn of lines, and what their axes are."""

import re

import matplotlib as mpl
import numpy as np
import pytest

from yolov1_fo.training.run_report import charts
from yolov1_fo.training.run_report.charts import Axis, Line, Mark

EPOCH, SHARE, LOSS = Axis("Epoch", "epoch", 3), Axis("Score", "share"), Axis("", "loss")


def line(y, x=None):
    return Line("a", range(1, len(y) + 1) if x is None else x, y, "#0072b2")


def points_in(chart):
    """Returns the number of points of the blue line."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*stroke: #0072b2', chart.svg)
    return max((len(re.findall("[ML]", one)) for one in paths), default=0)


def ticks(chart):
    return re.findall(r"<text [^>]*>([^<]*)</text>", chart.svg)


def test_values_that_are_missing_are_left_out():
    nan = float("nan")
    assert points_in(charts.lines("t", [line([1, 2, 3])], EPOCH, LOSS)) == 3
    assert points_in(charts.lines("t", [line([1, None, 3])], EPOCH, LOSS)) == 2
    assert points_in(charts.lines("t", [line([nan, None, nan])], EPOCH, LOSS)) == 0


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_epochs_are_whole_numbers(count):
    x = Axis("Epoch", "epoch", count)
    chart = charts.lines("t", [line([0.5] * count)], x, SHARE)
    shown = [one for one in ticks(chart) if re.fullmatch(r"\d+(\.\d+)?", one)]
    whole = [one for one in shown if "." not in one]
    assert whole
    assert all(0 <= int(one) <= count + 50 for one in whole)
    assert {one for one in shown if "." in one} == {
        "0.0",
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "1.0",
    }


@pytest.mark.parametrize(
    ("values", "is_log"), [([100, 1], True), ([10, 1], False), ([100, 0], False)]
)
def test_the_axis_of_a_loss_is_logarithmic_if_needed(values, is_log):
    chart = charts.lines("t", [line(values)], EPOCH, LOSS, upright=2)
    assert ("10" in ticks(chart) and "50" not in ticks(chart)) == is_log or (
        ("baseline-shift" in chart.svg or "tspan" in chart.svg) == is_log
    )


def test_long_lines_are_thinned_but_keep_their_ends():
    x = np.arange(5000.0)
    thin = charts.lines("t", [line(x / 5000, x)], Axis("Recall"), SHARE)
    assert points_in(thin) <= charts.MAX_POINTS
    kept, _ = charts._finite(line(x, x))
    assert (kept[0], kept[-1], len(kept)) == (0, 4999, charts.MAX_POINTS)


def test_zeros_and_nothing_can_be_drawn():
    for values in ([0.0], [0.0, 0.0], []):
        for y in (LOSS, SHARE, Axis("Rate")):
            assert "<svg" in charts.lines("t", [line(values)], EPOCH, y).svg


def test_ids_belong_to_the_chart_and_drawing_is_repeatable():
    first, again, other = (
        charts.lines(name, [line([1, 2])], EPOCH, LOSS).svg for name in "aab"
    )
    assert first == again
    ids, others = (set(re.findall(r' id="([^"]*)"', one)) for one in (first, other))
    assert ids
    assert not ids & others
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', first)) == ids


def test_a_mark_has_its_text():
    chart = charts.lines("t", [line([1, 2])], EPOCH, LOSS, marks=[Mark(1, 1, "best")])
    assert "best" in ticks(chart)


def test_settings_of_the_user_have_no_effect_and_stay():
    plain = charts.lines("t", [line([1, 2])], EPOCH, LOSS).svg
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        assert charts.lines("t", [line([1, 2])], EPOCH, LOSS).svg == plain
        assert mpl.rcParams["font.size"] == 30

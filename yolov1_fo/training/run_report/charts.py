"""Charts as SVG, drawn by matplotlib, which comes with FiftyOne.

Plotly's charts would need 5 MB of JavaScript in each report. The text in a drawing is
ours; names of classes, in any script, are in the legend, which is HTML.
"""

import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.style
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from yolov1_fo.boxes import Array

SIZE = (4.4, 2.75)
"""Width and height of a chart, in inches; the page scales it."""
MAX_POINTS = 400
"""Points of a line; of a longer one some are left out."""
MAX_DOTS = 30
"""A line over epochs has dots if it has at most so many points."""
LOG_RANGE = 50.0
"""The axis of losses is logarithmic if the highest is so many times the lowest."""
INK, MUTED, GRID = "#1f2733", "#5b6675", "#e4e8ee"
STYLE = {
    "font.size": 9.0,
    "axes.edgecolor": "#aab3bf",
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "lines.markersize": 3.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
}


class Line(NamedTuple):
    """A line of a chart.

    Attributes:
        name: in the legend; a line without a name is not there
        x: of its points
        y: of its points; None and NaN are left out
        color: as `#rrggbb`
        width: in points
        is_dashed: whether it is dashed
    """

    name: str
    x: Sequence[float] | Array
    y: Sequence[float | None] | Array
    color: str
    width: float = 1.8
    is_dashed: bool = False


class Mark(NamedTuple):
    """A point of a chart with a text beside it."""

    x: float
    y: float
    text: str


class Axis(NamedTuple):
    """An axis of a chart.

    Attributes:
        label: beside it
        kind: epoch, for whole numbers from 1; share, for values in [0, 1]; loss, which
            may be logarithmic; or number
        end: its highest value; None for that of the points
    """

    label: str
    kind: str = "number"
    end: float | None = None


class Chart(NamedTuple):
    """A chart as a part of the page.

    Attributes:
        title: above it
        svg: the drawing
        legend: its lines that have a name
        note: below it; may be empty
    """

    title: str
    svg: Markup
    legend: list[Line]
    note: str = ""


def lines(
    title: str,
    shown: Sequence[Line],
    x: Axis,
    y: Axis,
    *,
    upright: float | None = None,
    marks: Sequence[Mark] = (),
    note: str = "",
) -> Chart:
    """Returns a chart of lines.

    Args:
        title: of the chart
        shown: its lines, the last on top
        x: its x axis
        y: its y axis
        upright (None): x of a dotted line
        marks (none): its points with a text
        note (""): text below the chart
    """
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(SIZE, layout="constrained")
        axes = figure.add_subplot()
        for line in shown:
            places, values = _finite(line)
            has_dots = x.kind == "epoch" and len(places) <= MAX_DOTS
            axes.plot(
                *(places, values),
                color=line.color,
                linewidth=line.width,
                linestyle=(0, (4, 2)) if line.is_dashed else "-",
                marker="o" if has_dots else None,
            )
        _set_axes(axes, x, y)
        if upright is not None:
            axes.axvline(upright, color=MUTED, linestyle=":", linewidth=1.2, zorder=0)
        for mark in marks:
            _draw_mark(axes, mark)
        return Chart(
            title, _svg(figure, title), [one for one in shown if one.name], note
        )


def bars(
    title: str, shown: Sequence[Line], x: Axis, y: Axis, *, upright: float, note: str
) -> Chart:
    """Returns a chart of bars, those of several lines side by side.

    Args:
        title: of the chart
        shown: x are the left edges of the bars, all of the same width
        x: its x axis
        y: its y axis
        upright: x of a dotted line
        note: text below the chart
    """
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(SIZE, layout="constrained")
        axes = figure.add_subplot()
        for number, one in enumerate(shown):
            step = float(one.x[1] - one.x[0])
            width = 0.86 * step / len(shown)
            left = np.asarray(one.x) + 0.07 * step + number * width
            heights = np.asarray(one.y, np.float64)
            axes.bar(left, heights, width, align="edge", color=one.color)
        axes.axvline(upright, color=MUTED, linestyle=":", linewidth=1.2)
        axes.grid(visible=False, axis="x")
        _set_axes(axes, x, y)
        return Chart(title, _svg(figure, title), list(shown), note)


def _finite(line: Line) -> tuple[Array, Array]:
    """Returns the points of a line that have a value, `MAX_POINTS` at most."""
    values = np.array([np.nan if one is None else one for one in line.y], np.float64)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) > MAX_POINTS:
        places = np.linspace(0, len(known) - 1, MAX_POINTS).round().astype(int)
        known = known[places]
    return np.asarray(line.x, np.float64)[known], values[known]


def _set_axes(axes: Axes, x: Axis, y: Axis) -> None:
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    if x.kind == "epoch":
        end = max(x.end or 1, 1)
        axes.set_xlim(0.7, end + max(0.02 * end, 0.3))
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
    elif x.kind == "share":
        axes.set_xlim(0, 1.02 * (x.end or 1))
    if y.kind == "share":
        axes.set_ylim(0, 1.02 * (y.end or 1))
    elif y.kind == "loss":
        _set_loss_axis(axes)
    else:
        axes.set_ylim(bottom=0)


def _set_loss_axis(axes: Axes) -> None:
    values = np.concatenate([np.zeros(0), *(one.get_ydata() for one in axes.lines)])
    positive = values[values > 0]
    is_wide = len(positive) and positive.max() > LOG_RANGE * positive.min()
    if is_wide and len(positive) == len(values):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)


def _draw_mark(axes: Axes, mark: Mark) -> None:
    axes.plot(mark.x, mark.y, "o", color=INK, markersize=6, zorder=5)
    right = axes.transAxes.inverted().transform(
        axes.transData.transform((mark.x, mark.y))
    )
    is_right, is_high = right[0] > 0.6, right[1] > 0.8
    axes.annotate(
        mark.text,
        (mark.x, mark.y),
        xytext=(-8 if is_right else 8, -12 if is_high else 7),
        textcoords="offset points",
        ha="right" if is_right else "left",
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
        zorder=6,
    )


def _svg(figure: Figure, title: str) -> Markup:
    """Returns a drawing as an element of the page, whose ids are its own."""
    file = io.StringIO()
    unknown = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(file, format="svg", metadata=unknown)
    text = file.getvalue()
    text = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.S)
    used = set(re.findall(r'(?:url\(#|href="#)(\w+)', text))
    prefix = re.sub(r"\W+", "-", title.lower())
    text = re.sub(
        r' id="([^"]*)"',
        lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "",
        text,
    )
    text = re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", text)
    start = text.index("<svg") + len("<svg")
    label = f' role="img" aria-label="{prefix.replace("-", " ")}"'
    return Markup(f"<svg{label}{text[start:]}")

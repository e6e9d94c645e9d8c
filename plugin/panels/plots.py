"""Plots of the panels."""

from collections.abc import Sequence
from typing import Any

import fiftyone.operators.types as types

HEIGHT, LEGEND_ROW = 280, 20
"""Height of a plot and of a row of its legend, in pixels."""
NAMES_PER_ROW = 2
"""Number of names that fit into a row of the legend of a narrow panel."""
MAX_TICKS = 8
"""Most numbers below an axis of epochs."""
CONFIG = {"responsive": True, "displayModeBar": False}
"""Plotly's configuration: plots follow the width of the window, and no row of tools
covers their title."""
COLORS = (
    *("#56b4e9", "#e69f00", "#009e73", "#cc79a7"),
    *("#d55e00", "#f0e442", "#0072b2", "#9aa4b1"),
)
"""Colors of lines; distinguishable with color blindness (Okabe and Ito)."""


def add_plot(
    panel: types.Object,
    name: str,
    data: list[dict[str, Any]],
    title: str,
    *,
    on_click: Any = None,
    **layout: Any,
) -> None:
    """Adds a plot with its legend between title and plot.

    The App merges the data of a plot point by point into what it showed before, so
    that a plot of other runs or evaluations needs another name.

    Args:
        panel: the panel's layout
        name: the property's name
        data: Plotly's traces
        title: title of the plot
        on_click (None): a method of the panel
        **layout: more of Plotly's layout
    """
    named = [one for one in data if one.get("showlegend", True)]
    legend = LEGEND_ROW * -(-len(named) // NAMES_PER_ROW)
    layout = {
        "title": {"text": title, "font": {"size": 14}, "x": 0.01, "y": 0.98},
        "height": HEIGHT + legend,
        "margin": {"l": 50, "r": 10, "t": 40 + legend, "b": 40},
        "showlegend": bool(named),
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "reversed",  # the line on top comes first
        },
        **layout,
    }
    events = {} if on_click is None else {"on_click": on_click}
    panel.plot(name, data=data, layout=layout, config=CONFIG, **events)


def line(
    x: Sequence[float],
    y: Sequence[float | None],
    name: str,
    color: str,
    *,
    is_dashed: bool = False,
    has_marks: bool = True,
) -> dict[str, Any]:
    """Returns a line as Plotly's trace.

    Args:
        x: of its points
        y: of its points; None are left out
        name: in the legend; a line without a name is not there
        color: of the line
        is_dashed (False): whether it is dashed
        has_marks (True): whether its points are marked
    """
    points = [
        (one, value) for one, value in zip(x, y, strict=True) if value is not None
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers" if has_marks else "lines",
        "name": name,
        "showlegend": bool(name),
        "x": [one for one, _ in points],
        "y": [value for _, value in points],
        "line": {"color": color, "dash": "dash" if is_dashed else "solid"},
        "marker": {"color": color, "size": 5},
    }


def epoch_axis(last: int) -> dict[str, Any]:
    """Returns Plotly's layout of an axis of epochs, which are whole numbers.

    Args:
        last: the last epoch
    """
    steps = (n * 10**power for power in range(7) for n in (1, 2, 5))
    step = next(step for step in steps if last / step <= MAX_TICKS)
    return {
        "title": {"text": "Epoch"},
        "rangemode": "tozero",
        "tick0": 0,
        "dtick": step,
        "tickformat": "d",
    }

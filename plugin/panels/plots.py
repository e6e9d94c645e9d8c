"""Plots of the panels."""

from typing import Any

import fiftyone.operators.types as types

HEIGHT, LEGEND_ROW = 280, 20
"""Height of a plot and of a row of its legend, in pixels."""
NAMES_PER_ROW = 3
"""Number of names that fit into a row of the legend of a narrow panel."""


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
    has_legend = len(data) > 1
    legend = LEGEND_ROW * -(-len(data) // NAMES_PER_ROW) if has_legend else 0
    layout = {
        "title": {"text": title, "font": {"size": 14}, "x": 0.01, "y": 0.98},
        "height": HEIGHT + legend,
        "margin": {"l": 50, "r": 10, "t": 40 + legend, "b": 40},
        "showlegend": has_legend,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        **layout,
    }
    events = {} if on_click is None else {"on_click": on_click}
    panel.plot(name, data=data, layout=layout, **events)

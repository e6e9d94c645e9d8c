"""Parts of the panels: rows of buttons that wrap, tables, pictures."""

from collections.abc import Sequence
from typing import Any

import fiftyone.operators.types as types

ONE_COLUMN = {"grid": {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}}}
"""Of a vertical layout: its parts are no wider than the panel, whatever is in them."""
HEAD = {"sx": {"px": 0.75, "fontSize": "0.875rem"}}
CELL = {"sx": {**HEAD["sx"], "overflowWrap": "anywhere"}}
NAME_OR_WORDS = {"sx": {**HEAD["sx"], "&:first-of-type": {"overflowWrap": "anywhere"}}}
"""Of a table whose first column has names of any length, the others short words."""
AS_WIDE_AS_ITS_TEXT = {"item": {"sx": {"width": "auto"}}}
AS_WIDE_AS_THE_PANEL = {"image": {"style": {"width": "100%", "display": "block"}}}


def layout() -> types.GridView:
    """Returns the layout of a panel: its parts below each other."""
    return types.GridView(
        orientation="vertical",
        gap=2,
        pad=1,
        align_x="stretch",
        componentsProps=ONE_COLUMN,
    )


def add_bar(panel: types.Object, name: str) -> types.Object:
    """Adds a row whose parts wrap in a narrow panel; returns it."""
    bar = types.Object()
    panel.define_property(name, bar, view=types.GridView(gap=1, align_y="center"))
    return bar


def add_button(
    bar: types.Object, name: str, label: str, on_click: Any, **more: Any
) -> None:
    """Adds a button to a row of `add_bar`."""
    bar.btn(
        name,
        label=label,
        on_click=on_click,
        componentsProps=AS_WIDE_AS_ITS_TEXT,
        **more,
    )


def add_link(bar: types.Object, name: str, label: str, address: str) -> None:
    """Adds a button to a row of `add_bar` that opens an address in a new tab."""
    new_tab = {"button": {"target": "_blank", "rel": "noopener"}}
    bar.btn(
        name,
        label=label,
        href=address,
        componentsProps=AS_WIDE_AS_ITS_TEXT | new_tab,
    )


def narrow_table(cell: dict[str, Any] = CELL, **more: Any) -> types.TableView:
    """Returns a table that is as narrow as its content allows.

    Args:
        cell (CELL): properties of its cells; by default any text can wrap
        **more: arguments of `TableView`
    """
    narrow = {  # else it is wider than half a window
        "table": {"sx": {"minWidth": 0}},
        "tableHeadCell": HEAD,
        "tableBodyCell": cell,
    }
    return types.TableView(size="small", componentsProps=narrow, **more)


def add_table(
    panel: types.Object,
    name: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    label: str = "",
) -> None:
    """Adds a table of text.

    Args:
        panel: the panel's layout
        name: the property's name
        columns: their titles
        rows: their cells
        label (""): title of the table
    """
    table = narrow_table(label=label or None)
    keys = [f"c{number}" for number in range(len(columns))]
    for key, title in zip(keys, columns, strict=True):
        table.add_column(key, label=title)
    cells = [dict(zip(keys, row, strict=True)) for row in rows]
    panel.list(name, types.Object(), default=cells, view=table)


def add_picture(panel: types.Object, name: str, alt: str, label: str = "") -> None:
    """Adds a picture, whose URI is the panel's data of this name."""
    view = types.ImageView(alt=alt, label=label, componentsProps=AS_WIDE_AS_THE_PANEL)
    panel.str(name, view=view)

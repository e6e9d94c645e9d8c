"""The state of a panel, which the App keeps with its layout."""

from typing import Any


def update(ctx: Any, **parts: Any) -> None:
    """Sets the parts of a panel's state that differ from what it has.

    After each change of a panel's state the App reads the dataset's page again, which
    resets the filters of the sidebar; so one that changes nothing must not be made. The
    panel is rendered after each call of a method anyway.
    """
    for name, value in parts.items():
        if ctx.panel.get_state(name) != value:
            ctx.panel.set_state(name, value)

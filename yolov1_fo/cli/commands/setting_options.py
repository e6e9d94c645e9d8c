"""Command-line options for settings."""

import argparse
from typing import Any

from yolov1_fo.config import TrainConfig


def add_setting(
    group: Any, field: str, text: str, shown: Any = None, *, in_recipes: bool = False
) -> None:
    """Adds an option for a setting; it is absent from the result unless given.

    Args:
        group: argument group of a parser
        field: name of a field of `TrainConfig`
        text: help text
        shown (None): default to show, instead of that of `TrainConfig`
        in_recipes (False): shows no default, since it depends on the recipe
    """
    default = getattr(TrainConfig, field) if shown is None else shown
    flag = "--" + field.replace("_", "-")
    options: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": field}
    text = text.replace("%", "%%")
    if isinstance(default, bool):
        options["action"] = argparse.BooleanOptionalAction
    elif field == "rate_steps":
        options |= {"type": _rate_step, "nargs": "+", "metavar": "EPOCH:RATE"}
    else:
        options |= {"type": type(default), "metavar": type(default).__name__.upper()}
    hidden = in_recipes or default in ((), "")
    group.add_argument(flag, help=text if hidden else f"{text} ({default})", **options)


def _rate_step(text: str) -> tuple[float, float]:
    epoch, _, rate = text.partition(":")
    try:
        return float(epoch), float(rate)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be EPOCH:RATE, got {text!r}") from None

"""The input "Device" of a training."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.config import spelling
from yolov1_fo.runs import gpus

from . import form_widgets

AUTO, CPU = "auto", "cpu"


def add_input(form: types.Object) -> None:
    """Adds the choice of a device, if there is a GPU."""
    if gpus.names():
        form_widgets.add_dropdown(form, "device", _choices(), label="Device")


def check(params: Mapping[str, Any]) -> None:
    """Raises a ValueError if the chosen device does not exist."""
    spelling.check_choice("device", params.get("device") or AUTO, _choices())


def chosen(params: Mapping[str, Any]) -> str | None:
    """Returns the chosen device; None is the backend's choice."""
    device = params.get("device") or AUTO
    return None if device == AUTO else str(device)


def _choices() -> dict[str, str]:
    """Returns the devices, with their labels."""
    names = [f"GPU {n} {name}".strip() for n, name in enumerate(gpus.names())]
    numbered = {str(n): name for n, name in enumerate(names)}
    return {AUTO: "Automatic", **numbered, CPU: "CPU"}

"""The input "Same settings as", and lines about settings that are not shown."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.runs import ranking

from . import form_widgets, run_labels, setting_inputs


def add_input(form: types.Object, dataset: Any) -> None:
    """Adds the choice among the runs of detectors, if there are any."""
    runs = run_labels.of_runs(dataset, ranking.detectors(dataset))
    if runs:
        form_widgets.add_dropdown(
            form,
            "settings_of",
            {"": "The recipe's settings", **runs},
            label="Same settings as",
            description="Settings of an earlier run; inputs that you edit replace them",
        )


def add_notice(
    form: types.Object, params: Mapping[str, Any], of_run: Mapping[str, Any]
) -> None:
    """Adds a line about the settings that are taken from a run.

    Args:
        form: the operator's form
        params: the inputs
        of_run: of `setting_inputs.of_run`
    """
    if not params.get("settings_of"):
        return
    own = setting_inputs.edited(params)
    taken = {k: v for k, v in of_run.items() if own.get(k, v) == v}
    replaced = [setting_inputs.label(name) for name in of_run if name not in taken]
    text = f"From run '{params['settings_of']}': {setting_inputs.listed(taken)}"
    text += f"; edited: {', '.join(replaced)}" if replaced else ""
    form_widgets.add_notice(form, "same_settings", text)


def add_hidden_notice(form: types.Object, params: Mapping[str, Any]) -> None:
    """Adds a line about advanced settings that were edited and are hidden now."""
    own, hidden = setting_inputs.edited(params), setting_inputs.hidden(params)
    kept = {name: value for name, value in own.items() if name in hidden}
    if kept:
        text = f"Edited advanced settings: {setting_inputs.listed(kept)}"
        form_widgets.add_notice(form, "edited", text)

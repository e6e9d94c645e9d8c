"""The settings of a run, as a new training takes them."""

from dataclasses import asdict
from typing import Any

import fiftyone as fo

from yolov1_fo.config import MAX_EPOCHS, TrainConfig
from yolov1_fo.runs import records, registry
from yolov1_fo.runs.recipe_settings import Draft

LEFT_OUT = ("C", "val_fraction")
"""Settings that belong to the samples."""
OF_MACHINE = ("precision", "num_workers", "data")
"""Settings that are chosen for the machine, if they are automatic."""


def settings_of(dataset: fo.Dataset, run_key: str) -> dict[str, Any]:
    """Returns the settings with which a new training repeats a run.

    They are its network, its recipe, what differs from that recipe, and what was chosen
    for the images; not what was chosen for the machine.

    Args:
        dataset: with the run
        run_key: its name

    Raises:
        ValueError: if there is no such run, or its settings can't be read
    """
    run = records.info(dataset, registry.find(dataset, run_key))
    stored = getattr(run, "settings", None) or {}
    try:
        config = TrainConfig.pick(stored)
        base = {"network": config.network, "recipe": config.recipe}
        draft = Draft.make(base, config.C)
    except (TypeError, ValueError) as error:
        raise ValueError(f"run '{run_key}' has invalid settings: {error}") from None
    recipe, own = asdict(draft.config), asdict(config)
    changed = {
        name: value
        for name, value in own.items()
        if name not in LEFT_OUT and (value != recipe[name] or draft.is_automatic(name))
    }
    for name in OF_MACHINE:
        if draft.is_automatic(name):
            changed.pop(name, None)
    if config.max_minutes:  # the number of epochs followed from it
        changed.pop("epochs", None)
        most = getattr(run, "max_epochs", 0) or MAX_EPOCHS
        changed |= {"epochs": most} if most < MAX_EPOCHS else {}
    return {**base, **changed}

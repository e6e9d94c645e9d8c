"""The input that chooses a trained model."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.runs import ranking, run_json

from . import run_labels


def add_model(
    form: types.Object,
    dataset: Any,
    params: Mapping[str, Any],
    tasks: Collection[str] = (run_json.DETECT,),
    others: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Adds the choice of a model; returns its value, empty if there is none.

    The default is the best finished run. The choice stays when other runs finish.

    Args:
        form: the operator's form
        dataset: with the runs
        params: the inputs so far
        tasks (detect): what published models are for
        others (none): further models with labels, of which none is the default
    """
    models = run_labels.models(dataset, ranking.detectors(dataset), tasks)
    view = types.AutocompleteView(allow_user_input=True)
    for name, label in {**models, **others}.items():
        view.add_choice(name, label=label)
    best = ranking.best_finished(dataset) or next(iter(models), "")
    value = params.get("model", best)
    form.str(
        "model",
        label="Model",
        description="A run, a published model, or the path of a checkpoint folder",
        default=value or None,
        view=view,
    )
    return value or ""

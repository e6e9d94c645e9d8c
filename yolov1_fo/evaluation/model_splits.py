"""What the model of a field of predictions was trained on, and validated on."""

from pathlib import Path
from typing import NamedTuple

import fiftyone as fo

from yolov1_fo.datasets import predicted_by
from yolov1_fo.evaluation import stored_detections
from yolov1_fo.runs import checkpoint, training_samples


class ModelSplits(NamedTuple):
    """The splits of the model that made predictions.

    Attributes:
        model: run that trained it; empty if unknown
        train_ids: of the samples it was trained on; None if unknown
        val_ids: of the samples it was validated on; none if unknown
    """

    model: str = ""
    train_ids: frozenset[str] | None = None
    val_ids: frozenset[str] = frozenset()


def run_folder(dataset: fo.Dataset, pred_field: str) -> tuple[str, Path | None]:
    """Returns the model that wrote a field last, and the folder of its training."""
    models = predicted_by.read(dataset, pred_field)
    latest = models[-1] if models else {}
    folder = latest.get("run_folder")
    return str(latest.get("model", "")), Path(folder) if folder else None


def read(model: str, folder: Path | None) -> ModelSplits:
    """Returns the splits of a model; they are unknown if it was not trained here.

    Args:
        model: of `run_folder`
        folder: of `run_folder`
    """
    if folder is None:
        return ModelSplits(model)
    train = training_samples.read(folder)
    try:
        ids = stored_detections.read_ids(checkpoint.resolve(folder))
    except (OSError, ValueError):
        ids = []
    return ModelSplits(
        model, None if train is None else frozenset(train), frozenset(ids)
    )

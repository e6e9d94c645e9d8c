"""Predictions of models that were not trained on the sample they predict."""

import contextlib
import logging
import tempfile
from collections.abc import Callable
from typing import Any

from yolov1_fo.curation import whole_samples
from yolov1_fo.datasets import class_lists, predicted_by, splitting
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.inference.prediction import apply
from yolov1_fo.model.load import load_model
from yolov1_fo.runs import deletion, registry
from yolov1_fo.training.detector import train

logger = logging.getLogger(__name__)


def predict(
    samples: fo_samples.Samples,
    gt_field: str,
    pred_field: str,
    folds: int,
    on_fold: Callable[[int, int], None] | None = None,
    **settings: Any,
) -> None:
    """Trains one model for each fold, on the others, and predicts the fold.

    The runs are deleted, also if a training fails.

    Args:
        samples: a checked collection; samples that are not labeled are left out
        gt_field: field of Detections to train on
        pred_field: field of the predictions, created if it does not exist
        folds: number of trainings
        on_fold (None): called with the number of a training, counted from 1, and the
            number of all, when it starts
        **settings: arguments of `train`

    Raises:
        TypeError: if `folds` is not a whole number, or an argument is unknown
        ValueError: if the samples, a field or a setting does not fit
    """
    whole = whole_samples.whole(samples)
    dataset = whole_samples.dataset_of(samples)
    labeled = whole.exists(gt_field)
    PredictionsField(labeled, pred_field, gt_field=gt_field)  # checks it
    settings = {"progress": False, **settings}
    settings.setdefault("classes", class_lists.classes_of(labeled, gt_field))
    for number, (rest, fold) in enumerate(splitting.folds(labeled, folds), 1):
        logger.info(
            "fold %d of %d: training on %d samples, to predict %d",
            *(number, folds, len(rest), len(fold)),
        )
        if on_fold is not None:
            on_fold(number, folds)
        with tempfile.TemporaryDirectory() as runs_dir:
            key = registry.new_key(dataset, pred_field, runs_dir)
            with _deleted_afterwards(dataset, key):
                result = train(
                    rest, gt_field, run_key=key, runs_dir=runs_dir, **settings
                )
                apply(fold, load_model(result.checkpoint_dir), pred_field)
    about = {"model": f"{folds} folds", "out_of_fold": True}
    predicted_by.record(dataset, pred_field, about, replaces=True)


@contextlib.contextmanager
def _deleted_afterwards(dataset: Any, run_key: str) -> Any:
    try:
        yield
    finally:
        if registry.exists(dataset, run_key):
            deletion.delete_run(dataset, run_key)

"""The detections of a model in samples, to suggest labels from."""

from collections.abc import Callable
from typing import Any

from yolov1_fo.curation.model_detections import ModelDetections
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import thresholds
from yolov1_fo.evaluation.thresholds import Thresholds
from yolov1_fo.inference import prediction
from yolov1_fo.inference.prediction_pass import PredictionPass, files_of


def predict(
    samples: fo_samples.Samples,
    model: Any,
    thresh: float | None,
    *,
    batch_size: int,
    progress: bool | Callable[..., Any] | None,
) -> ModelDetections:
    """Returns what a model finds in some samples; those that can't be read are missing.

    Args:
        samples: a checked collection
        model: from `load_model`
        thresh: lowest confidence; None for the model's recommended thresholds
        batch_size: images per forward pass
        progress: as in FiftyOne

    Raises:
        TypeError: if it is not a `YOLOv1Model`
        ValueError: if it recommends no threshold and none is given
    """
    prediction.check_model(model)
    about = prediction.describe(model)
    limits = thresholds.of_model(about)
    if thresh is not None:
        limits = Thresholds(thresh, {})
    if limits is None:
        raise ValueError(
            f"model '{about['model']}' has no recommended threshold; give thresh"
        )
    found: dict[str, Detections] = {}
    tiles = model.tiles
    batches = PredictionPass(
        files_of(samples, model), model, batch_size, progress=progress, tiles=tiles
    )
    with batches:
        for ids, y_pred, windows in batches:
            found.update(zip(ids, model.detected(y_pred, windows, tiles), strict=True))
    return ModelDetections(found, model.classes, about["model"], limits)

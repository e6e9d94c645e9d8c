"""The thresholds that are stored with an evaluation on its dataset.

They are a part of its config, so that they are renamed, copied and deleted with it, and
that reading them does not load its results.
"""

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.odm as foo
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import fiftyone_private, predicted_by
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import operating_point
from yolov1_fo.evaluation.average_precision import Curve


class Thresholds(NamedTuple):
    """Lowest confidences that are shown.

    Attributes:
        overall: of classes without one of their own
        by_class: by name of class
    """

    overall: float
    by_class: dict[str, float]

    def of(self, names: Iterable[str]) -> Array:
        """Returns the threshold of each class: float64."""
        return np.array([self.by_class.get(name, self.overall) for name in names])


def store(config: Any, curves: dict[str, Curve], *, of_frames: bool) -> None:
    """Adds the operating point to the config of an evaluation.

    Its attribute `operating_point` holds the parts of `OperatingPoint.to_json`;
    `class_threshs`, pairs of the classes that have a threshold of their own and this;
    and `of_frames`, whether the field is one of the frames of videos. The names of
    classes are no keys, since those of the database can't contain every character.

    Args:
        config: FiftyOne's, of an evaluation that is not registered yet
        curves: by name of class
        of_frames: whether a frames view was evaluated
    """
    found = list(curves.values())
    point = operating_point.recommend(operating_point.pool(found))
    own = operating_point.class_threshs(found, list(curves), point)
    config.operating_point = {
        **point.to_json(),
        "class_threshs": [list(pair) for pair in own.items()],
        "of_frames": of_frames,
    }


def latest(samples: fo_samples.Samples, pred_field: str) -> Thresholds | None:
    """Returns the thresholds of the latest evaluation of a field that has some.

    Args:
        samples: a dataset or view
        pred_field: the predictions; `frames.<name>` for those of videos

    Returns:
        None if there is no such evaluation
    """
    dataset = fiftyone_private.root_dataset(samples)
    name = pred_field.removeprefix("frames.")
    of_frames = name != pred_field or fo_samples.is_frames_view(samples)
    _reload_if_changed(dataset)
    keys = dataset.list_evaluations(type="detection", pred_field=name)
    found = [
        (info.timestamp, stored)
        for info in map(dataset.get_evaluation_info, keys)
        if (stored := _read(info.config, of_frames=of_frames))
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def known(samples: fo_samples.Samples, pred_field: str) -> Thresholds | None:
    """Returns the thresholds of predictions; None if they are not known.

    They are those of the field's latest evaluation, or else of the model that
    `apply` has written it with.

    Args:
        samples: a dataset or view
        pred_field: the predictions; `frames.<name>` for those of videos
    """
    stored = latest(samples, pred_field)
    if stored is not None:
        return stored
    is_frames = fo_samples.is_frames_view(samples)
    path = f"frames.{pred_field}" if is_frames else pred_field
    models = predicted_by.read(fiftyone_private.root_dataset(samples), path)
    return of_model(models[-1]) if models else None


def of_model(model: dict[str, Any]) -> Thresholds | None:
    """Returns the operating point of a model, from `prediction.describe`."""
    if model.get("thresh") is None:
        return None
    by_class = {str(name): float(one) for name, one in model["class_threshs"]}
    return Thresholds(float(model["thresh"]), by_class)


def _reload_if_changed(dataset: fo.Dataset) -> None:
    """Reloads a dataset that another process has evaluated.

    Only then, since unsaved changes of samples are lost.
    """
    query = {"_id": fiftyone_private.dataset_id(dataset)}
    document = foo.get_db_conn().datasets.find_one(query, ["evaluations"]) or {}
    loaded = {
        key: fiftyone_private.evaluation_document(dataset, key).id
        for key in dataset.list_evaluations()
    }
    if loaded != (document.get("evaluations") or {}):
        dataset.reload()


def _read(config: Any, *, of_frames: bool) -> Thresholds | None:
    stored = getattr(config, "operating_point", None)
    if not isinstance(stored, dict) or bool(stored.get("of_frames")) != of_frames:
        return None
    overall = stored.get("thresh")
    if not isinstance(overall, Real) or not math.isfinite(overall):
        return None
    return Thresholds(float(overall), dict(stored.get("class_threshs") or ()))

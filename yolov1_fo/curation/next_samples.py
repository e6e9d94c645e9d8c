"""next_to_label(samples, model, count): which samples to label next."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.config import arguments
from yolov1_fo.curation import (
    candidates,
    image_scores,
    selection,
    whole_samples,
)
from yolov1_fo.curation.candidates import TAG
from yolov1_fo.datasets import connection, tags
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import thresholds
from yolov1_fo.evaluation.thresholds import Thresholds
from yolov1_fo.inference import prediction
from yolov1_fo.model.yolov1_model import YOLOv1Model

logger = logging.getLogger(__name__)

DEFAULT_THRESH = 0.5
"""Threshold of a model that recommends none."""


@connection.one_line_errors()
def next_to_label(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    count: int,
    gt_field: str = "ground_truth",
    *,
    tag: str = TAG,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> Any:
    """Chooses the samples whose labels would help the model most, and tags them.

    Candidates are the samples whose `gt_field` is None. The model should be in doubt
    about them, with detections near its operating point, and their embeddings should
    differ from each other and from those of the labeled samples. The choice is the
    same whenever it is made. `next_to_label` is removed from all other samples; another
    tag must not be in use.

    Args:
        samples: a FiftyOne dataset or view of images, labeled ones included
        model: from `load_model`
        count: number of samples to choose
        gt_field ("ground_truth"): field of Detections; may not exist yet
        tag ("next_to_label"): of the chosen samples
        batch_size (16): images per forward pass
        progress (None): as in FiftyOne

    Returns:
        a view of the chosen samples, the most useful first

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if the samples or an argument do not fit, or all samples are
            labeled
    """
    arguments.check_integer("count", count, 1)
    arguments.check_string("tag", tag)
    prediction.check_model(model)
    samples = whole_samples.checked(samples)
    candidates.check_tag(samples, tag)
    sample_tags = tags.Tags(samples)
    unlabeled, labeled = candidates.split(samples, gt_field)
    found = image_scores.read(
        unlabeled, model, batch_size=batch_size, progress=progress
    )
    if not found.ids:
        raise ValueError(
            f"{fo_samples.name(samples)} has no readable sample without '{gt_field}'"
        )
    if count > len(found.ids):
        logger.warning("only %d samples can be chosen", len(found.ids))
    known = image_scores.embed(labeled, model, batch_size=batch_size, progress=progress)
    rows = selection.choose(_doubts(found.found, model), found.embeddings, known, count)
    chosen = unlabeled.select([found.ids[row] for row in rows], ordered=True)
    sample_tags.remove(tag)
    sample_tags.add(tag, chosen)
    return chosen


def _doubts(found: list[Detections], model: YOLOv1Model) -> Array:
    """Returns how doubtful the model is about each image: (N,)."""
    limits = thresholds.of_model(prediction.describe(model))
    if limits is None:
        limits = Thresholds(DEFAULT_THRESH, {})
    return np.array([selection.doubt(one, model.classes, limits) for one in found])

"""Writes the objectness map and the loss of each sample to fields."""

from collections.abc import Callable
from typing import Any

import fiftyone as fo
import numpy as np

from yolov1_fo import grid, loss
from yolov1_fo.boxes import Array
from yolov1_fo.config import LossConfig
from yolov1_fo.datasets import (
    annotations,
    checks,
    connection,
    fiftyone_boxes,
    output_fields,
)
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.invalid_boxes import InvalidBoxes
from yolov1_fo.inference.prediction import check_model
from yolov1_fo.inference.prediction_pass import PredictionPass, files_of
from yolov1_fo.model.yolov1_model import YOLOv1Model


@connection.one_line_errors()
def write_objectness(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    field: str = "objectness",
    *,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes the objectness of each grid cell, as a FiftyOne `Heatmap`.

    The map has S x S values in [0, 1]: the highest confidence of each cell's boxes. For
    a letterboxed model it has one value per pixel that the image fills in the network's
    input, since the image ends within cells.

    Args:
        samples: a FiftyOne dataset or view of images
        model: from `load_model`
        field ("objectness"): created if it does not exist; may only hold heatmaps
        batch_size (16): images per forward pass
        progress (None): as in FiftyOne: True, False, None for its default, or a
            callback

    Returns:
        unreadable and truncated image files, with what is wrong with each

    Raises:
        ValueError: if the collection or the field is invalid
    """
    samples = fo_samples.ungrouped(samples)
    check_model(model)
    checks.check_images(samples)
    output = output_fields.OutputField(samples, field, fo.Heatmap, "field")
    batches = PredictionPass(
        files_of(samples, model), model, batch_size, progress=progress
    )
    with batches, output:
        for ids, y_pred, windows in batches:
            confidence = grid.split(y_pred, model.grid).confidence  # (N, S, S, B)
            confidence = np.where(np.isfinite(confidence), confidence, 0)
            maps = np.clip(confidence.max(axis=-1), 0, 1)
            if windows is not None:
                maps = [
                    _inside(cells, window, model.image_size)
                    for cells, window in zip(maps, windows, strict=True)
                ]
            for sample_id, values in zip(ids, maps, strict=True):
                output.add(sample_id, fo.Heatmap(map=values, range=[0, 1]))
    return batches.faults


def _inside(cells: Array, window: Array, image_size: int) -> Array:
    """Returns the part of a map inside a window, one value per pixel of the input.

    Args:
        cells: (S, S)
        window: (4,) xyxy, relative to the input
        image_size: side of the input, in pixels
    """
    centers = (np.arange(image_size) + 0.5) / image_size
    cell = (centers * len(cells)).astype(int)
    left, top, right, bottom = np.rint(window * image_size).astype(int)
    return cells[np.ix_(cell[top:bottom], cell[left:right])]


@connection.one_line_errors()
def write_losses(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    gt_field: str = "ground_truth",
    field: str = "loss",
    *,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes the loss of each sample, to find hard and mislabeled samples.

    Sort by `<field>.total`, or by one of the paper's five weighted terms in the same
    field. It is the loss that training minimizes, without augmentation.

    Args:
        samples: a FiftyOne dataset or view of images
        model: from `load_model`
        gt_field ("ground_truth"): field of Detections; objects that are difficult, a
            crowd or a group, and those of other classes, are not targets
        field ("loss"): created if it does not exist; may only hold losses
        batch_size (16): images per forward pass
        progress (None): as in FiftyOne: True, False, None for its default, or a
            callback

    Returns:
        unreadable and truncated image files, with what is wrong with each

    Raises:
        ValueError: if the collection or a field is invalid

    Source: paper equation 3
    """
    samples = fo_samples.ungrouped(samples)
    check_model(model)
    checks.check_images(samples)
    checks.check_detections(samples, gt_field, "gt_field")
    output = output_fields.OutputField(
        samples,
        field,
        fo.DynamicEmbeddedDocument,
        "field",
        attributes=_attributes(model),
    )
    records = annotations.read(samples, gt_field)
    boxes = fiftyone_boxes.read_boxes(records.bounding_boxes)
    InvalidBoxes.count(
        boxes.faults, boxes.image, records.bounding_boxes, records.filepaths
    ).warn(gt_field, fo_samples.name(samples))
    objects, _, _ = fiftyone_boxes.from_detections(
        records.labels, boxes, records.ignored, model.classes
    )
    rows = {sample_id: row for row, sample_id in enumerate(records.ids)}
    batches = PredictionPass(
        files_of(samples, model), model, batch_size, progress=progress
    )
    with batches, output:
        for ids, y_pred, windows in batches:
            targets = objects.padded([rows[key] for key in ids], windows=windows)
            terms = _terms(y_pred, targets, model)
            for row, sample_id in enumerate(ids):
                parts = {name: float(part[row]) for name, part in terms.items()}
                total = sum(parts.values())
                output.add(sample_id, fo.DynamicEmbeddedDocument(total=total, **parts))
    return batches.faults


def _attributes(model: YOLOv1Model) -> tuple[str, ...]:
    """Returns the attributes of the loss of a sample."""
    return ("total", *loss.term_names(_rules(model)))


def _rules(model: YOLOv1Model) -> LossConfig:
    return LossConfig.pick(model.metadata["settings"])


def _terms(
    y_pred: Array, targets: tuple[Array, Array], model: YOLOv1Model
) -> dict[str, Any]:
    """Returns the weighted terms of each image, given its padded objects: (N,) each."""
    parts = loss.of_objects(*targets, y_pred, model.grid, _rules(model))
    return {name: np.asarray(part) for name, part in parts._asdict().items()}

"""What a network says of each sample beside its detections, as fields for the App."""

from collections.abc import Callable
from typing import Any

import fiftyone as fo
import numpy as np

from yolov1_fo import grid, loss
from yolov1_fo.config import LossConfig
from yolov1_fo.datasets import annotations, checks, connection, labels, output_fields
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.box_faults import BoxFaults
from yolov1_fo.inference import prediction
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.pipeline.objects import Objects

PARTS = ("total", *loss.Terms._fields)
"""What the loss of a sample consists of."""


@connection.answering()
def write_objectness(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    field: str = "objectness",
    *,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes where the network sees objects, as FiftyOne's `Heatmap`.

    The map has S x S values in [0, 1]: the larger confidence of each cell's boxes.

    Args:
        samples: a FiftyOne dataset or view of images
        model: from `load_model`
        field ("objectness"): is made if it does not exist; nothing but heatmaps is
            replaced
        batch_size (16): images a forward pass
        progress (None): FiftyOne's: True, False, its default, or a callback

    Returns:
        image files that could not be read or are cut, and what is wrong with each

    Raises:
        ValueError: if the collection or the field does not fit
    """
    samples = fo_samples.flat(samples)
    prediction.check_model(model)
    checks.check_images(samples)
    output = output_fields.Output(samples, field, fo.Heatmap, "field")
    with prediction.Pass(samples, model, batch_size, progress=progress) as said, output:
        for ids, y_pred in said:
            confidence = grid.split(y_pred, model.grid).confidence  # (N, S, S, B)
            confidence = np.where(np.isfinite(confidence), confidence, 0)
            maps = np.clip(confidence.max(axis=-1), 0, 1)
            for sample_id, one in zip(ids, maps, strict=True):
                output.add(sample_id, fo.Heatmap(map=one, range=[0, 1]))
    return said.faults


@connection.answering()
def write_losses(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    gt_field: str = "ground_truth",
    field: str = "loss",
    *,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes the loss of each sample: the hardest and the mislabelled stand out.

    Sort by `<field>.total`, or by one of the paper's five weighted terms beside it. It
    is what training minimizes, without variation of the images.

    Args:
        samples: a FiftyOne dataset or view of images
        model: from `load_model`
        gt_field ("ground_truth"): field of Detections; objects that are difficult, a
            crowd or a group, and those of other classes, are no targets
        field ("loss"): is made if it does not exist; nothing but losses is replaced
        batch_size (16): images a forward pass
        progress (None): FiftyOne's: True, False, its default, or a callback

    Returns:
        image files that could not be read or are cut, and what is wrong with each

    Raises:
        ValueError: if the collection or a field does not fit

    Source: paper equation 3
    """
    samples = fo_samples.flat(samples)
    prediction.check_model(model)
    checks.check_images(samples)
    checks.check_detections(samples, gt_field, "gt_field")
    output = output_fields.Output(
        samples, field, fo.DynamicEmbeddedDocument, "field", attributes=PARTS
    )
    records = annotations.read(samples, gt_field)
    boxes = labels.read_boxes(records.bounding_boxes)
    BoxFaults.of(
        boxes.faults, boxes.image, records.bounding_boxes, records.filepaths
    ).tell(gt_field, fo_samples.name(samples))
    objects, _, _ = labels.from_detections(
        records.labels, boxes, records.ignored, model.classes
    )
    place = {sample_id: row for row, sample_id in enumerate(records.ids)}
    with prediction.Pass(samples, model, batch_size, progress=progress) as said, output:
        for ids, y_pred in said:
            terms = _terms(y_pred, objects, [place[one] for one in ids], model)
            for row, sample_id in enumerate(ids):
                parts = {name: float(part[row]) for name, part in terms.items()}
                total = sum(parts.values())
                output.add(sample_id, fo.DynamicEmbeddedDocument(total=total, **parts))
    return said.faults


def _terms(
    y_pred: Any, objects: Objects, rows: list[int], model: YOLOv1Model
) -> dict[str, Any]:
    """Returns the weighted terms of each image: (N,) each."""
    padded = objects.padded(rows, max(objects.most(), 1))
    y_true = grid.encode(*padded, model.grid)
    rules = LossConfig.pick(model.metadata["settings"])
    parts = loss.weighted(loss.terms(y_true, y_pred, model.grid, rules), rules)
    return {name: np.asarray(part) for name, part in parts._asdict().items()}

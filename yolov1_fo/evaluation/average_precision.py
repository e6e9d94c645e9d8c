"""Average precision as the PASCAL VOC challenges of 2007 and 2010 define it.

It works on arrays. A detection takes the object that it overlaps most; if a better
detection has taken that one, it is false. What finds a difficult object does not count.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detected

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
"""VOC's, in the order of Darknet's voc.names."""


class Objects(NamedTuple):
    """The objects of one image: boxes (M, 4) xyxy, class_ids (M,), difficult (M,)."""

    boxes: Array
    class_ids: Array
    difficult: Array


class Curve(NamedTuple):
    """Precision and recall of one class, from the best detection to the worst.

    Attributes:
        precision: (K,)
        recall: (K,)
        objects: how many there are to find
        detections: how many count
    """

    precision: Array
    recall: Array
    objects: int
    detections: int


def curves(
    found: Sequence[Detected],
    objects: Sequence[Objects],
    num_classes: int,
    iou_thresh: float = 0.5,
    *,
    border: float = 0.0,
) -> list[Curve]:
    """Returns the curve of each class.

    Args:
        found: detections, by image
        objects: truth, by image, in the same order
        num_classes: classes are 0 to num_classes - 1
        iou_thresh (0.5): least overlap of a true detection
        border (0.0): 1 for boxes in pixels whose corners both belong to them, as the
            development kit has them: widths are one more

    Source: VOC development kit, section 3.4
    """
    return [
        _curve(found, objects, class_id, iou_thresh, border)
        for class_id in range(num_classes)
    ]


def match(
    found: Detected, truth: Objects, iou_thresh: float, border: float = 0.0
) -> tuple[Array, Array]:
    """Returns which object each detection of an image finds, as the curves count it.

    Args:
        found: detections
        truth: objects
        iou_thresh: least overlap of a true detection
        border (0.0): see `curves`

    Returns:
        (K,) the object's number, -1 for none; (K,) the overlap, 0 where there is none
    """
    k = len(found.class_ids)
    target, overlap = np.full(k, -1), np.zeros(k)
    if not k or not len(truth.class_ids):
        return target, overlap
    overlaps = _boxes.measured_iou(found.boxes, truth.boxes, border)  # (K, M)
    overlaps[found.class_ids[:, None] != truth.class_ids[None]] = 0
    taken: set[int] = set()
    for row in np.argsort(-found.scores, kind="stable").tolist():
        best = int(overlaps[row].argmax())
        if best in taken or not _boxes.reaches(overlaps[row, best], iou_thresh):
            continue
        target[row], overlap[row] = best, overlaps[row, best]
        if not truth.difficult[best]:
            taken.add(best)
    return target, overlap


def _curve(
    found: Sequence[Detected],
    objects: Sequence[Objects],
    class_id: int,
    iou_thresh: float,
    border: float,
) -> Curve:
    scores, targets, hits, ignored = [], [], [], []
    total = first = 0
    for detections, truth in zip(found, objects, strict=True):
        ours = detections.class_ids == class_id
        mine = truth.class_ids == class_id
        true_boxes, difficult = truth.boxes[mine], truth.difficult[mine].astype(bool)
        total += int((~difficult).sum())
        k = int(ours.sum())
        best, overlap = np.zeros(k, int), np.zeros(k)
        if k and len(true_boxes):
            overlaps = _boxes.measured_iou(detections.boxes[ours], true_boxes, border)
            best, overlap = overlaps.argmax(axis=1), overlaps.max(axis=1)  # (k,)
        hit = _boxes.reaches(overlap, iou_thresh)
        scores.append(detections.scores[ours])
        targets.append(first + best)
        hits.append(hit)
        ignored.append(hit & np.append(difficult, False)[best])
        first += len(true_boxes)
    return _accumulate(scores, targets, hits, ignored, total)


def _accumulate(
    scores: list[Array],
    targets: list[Array],
    hits: list[Array],
    ignored: list[Array],
    total: int,
) -> Curve:
    score = np.concatenate([np.zeros(0), *scores])
    order = np.argsort(-score, kind="stable")
    hit = np.concatenate([np.zeros(0, bool), *hits])[order]
    skip = np.concatenate([np.zeros(0, bool), *ignored])[order]
    target = np.concatenate([np.zeros(0, int), *targets])[order]
    target = np.where(hit, target, -1 - np.arange(len(target)))
    is_first = np.zeros(len(target), bool)
    is_first[np.unique(target, return_index=True)[1]] = True
    true = (hit & is_first)[~skip]
    found_so_far = np.cumsum(true)
    return Curve(
        precision=found_so_far / np.arange(1, len(true) + 1),
        recall=found_so_far / max(total, 1),
        objects=total,
        detections=len(true),
    )


def voc07(curve: Curve) -> float:
    """Returns the mean of the best precision at recall 0, 0.1, ... 1.

    The levels are those of floating-point numbers, as in the evaluators whose numbers
    are published: 9 of 15 objects do not reach 0.6000000000000001.

    Returns:
        in [0, 1]; NaN where there is no object to find

    Source: VOC 2007 development kit
    """
    if not curve.objects:
        return float("nan")
    levels = np.linspace(0, 1, 11)[:, None]
    reached = curve.recall[None] >= levels  # (11, K)
    best = np.where(reached, curve.precision[None], 0).max(axis=1, initial=0)
    return float(best.mean())


def voc10(curve: Curve) -> float:
    """Returns the area under the curve, its precision made falling.

    Returns:
        in [0, 1]; NaN where there is no object to find

    Source: VOC 2010 development kit
    """
    if not curve.objects:
        return float("nan")
    falling = np.maximum.accumulate(curve.precision[::-1])[::-1]
    steps = np.diff(curve.recall, prepend=0)
    return float((steps * falling).sum())


def mean(values: Sequence[float]) -> float:
    """Returns the mean over the classes that have objects; NaN if none has."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")

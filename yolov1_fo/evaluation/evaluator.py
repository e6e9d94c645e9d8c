"""Evaluation of predictions with the metrics of VOC and COCO and an error analysis."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from yolov1_fo.boxes import Array
from yolov1_fo.config import arguments, class_names
from yolov1_fo.datasets import class_lists, connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import (
    coco_method,
    confidence_filter,
    error_analysis,
    error_fields,
    evaluation_method,
    metrics,
    operating_point,
    panel_note,
    registration,
    thresholds,
)
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.coco_method import Evaluation, EvaluationConfig
from yolov1_fo.evaluation.evaluation_results import EvaluationResults
from yolov1_fo.evaluation.operating_point import OperatingPoint
from yolov1_fo.evaluation.report import EvaluationReport


@connection.one_line_errors()
def evaluate(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str = "ground_truth",
    eval_key: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    iou_thresh: float = 0.5,
    confidence_thresh: float | None = None,
    inclusive_corners: bool = False,
    similar: Collection[Collection[str]] | None = None,
    progress: bool | Callable[..., Any] | None = None,
) -> EvaluationReport:
    """Evaluates predictions against ground truth.

    The report also has the confidence threshold of best F1, of all classes and of each.

    With an `eval_key`, the evaluation is stored on the dataset, completely or not at
    all. In FiftyOne's Model Evaluation panel, mAP is that of all predictions;
    precision, recall, F1, the counts, the confusion matrix and the samples behind a
    click are those of the predictions of at least `confidence_thresh`, matched as in
    COCO at `iou_thresh`: they equal `report.at(confidence_thresh)`. The others have no
    `<eval_key>`, and `load_evaluation_view(eval_key)` does not show them. `confident`
    shows the detections from the thresholds of their classes on. Objects that
    are `difficult`, `iscrowd` or `IsGroupOf` and objects with an invalid box are
    ignored. The error types of the strongest detections of each class are stored in
    `<eval_key>_error`: `correct`, `localization`, `similar`, `other` or `background`.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: field of Detections with confidences down to a low threshold
        gt_field ("ground_truth"): field of Detections
        eval_key (None): name of the evaluation on the dataset; None does not store it.
            An evaluation of the same fields with this name is replaced
        classes (None): classes to evaluate; by default those of `gt_field`
        iou_thresh (0.5): minimum IoU of a match, and of a true positive of VOC
        confidence_thresh (None): confidence from which predictions count, except in
            mAP; 0 counts all. None is the recommended threshold, that of best F1; if
            there is none, since no prediction is right, all count
        inclusive_corners (False): measures VOC's IoU in pixels, as its development kit
            does, where a box includes both corners and is one pixel wider than their
            distance; needs `samples.compute_metadata()`
        similar (None): sets of similar classes for the error analysis, e.g.
            `[("cat", "dog"), ("car", "bus")]`; None uses VOC's
        progress (None): FiftyOne's: True, False, its default, or a callback

    Raises:
        ValueError: if the collection, a field, a class or `eval_key` is not valid; in
            this case nothing is written

    Source: paper sections 4.2 and 4.4 (errors)
    """
    # 1. Check and read.
    samples = fo_samples.ungrouped(samples)
    evaluation_method.check_fields(samples, pred_field, gt_field)
    config = _config(pred_field, gt_field, iou_thresh, inclusive_corners)
    if confidence_thresh is not None:
        arguments.check_number("confidence_thresh", confidence_thresh, 0)
    method = config.build()
    names = class_lists.classes_of(samples, gt_field, classes)
    _check_similar(similar, names)
    matched = method.match_samples(samples, eval_key, names, progress)
    data = matched.data
    class_lists.check_evaluated(
        samples,
        gt_field,
        names,
        data.labels_of(data.objects),
        data.labels_of(data.found),
        given=classes is not None,
    )

    # 2. Compute.
    error_types = error_fields.classify_errors(data, iou_thresh, similar)
    sweep = data.sweep()
    curves = data.curves_by_name(iou_thresh)
    matched_curves = matched.curves()
    pooled = operating_point.pool(list(matched_curves.values()))
    point = operating_point.recommend(pooled)
    lowest = config.confidence_thresh = _lowest(confidence_thresh, point)
    method.matching = matched.counting(lowest or None, len(names))
    per_class = metrics.per_class(curves, sweep, matched_curves)
    means = metrics.means(per_class)
    matches = [one for some in method.matching.matches() for one in some]
    shown = confidence_filter.add(samples, pred_field, lowest) if lowest else samples
    results = coco_method.make_results(
        method, shown, eval_key, data, matches, sweep, pooled
    )
    results.custom_metrics = metrics.custom_metrics(means, iou_thresh)

    # 3. Store.
    if eval_key is not None:
        _store(method, samples, shown, eval_key, matched_curves, error_types, results)
    return EvaluationReport(
        **means,
        per_class=per_class,
        errors=error_analysis.count_by_name(error_types, data.found, names),
        results=results,
        curves=curves,
        matched_curves=matched_curves,
        confidence_thresh=lowest,
        left_out={
            pred_field: data.pred_field.left_out,
            gt_field: data.gt_field.left_out,
        },
    )


def _lowest(confidence_thresh: float | None, point: OperatingPoint) -> float:
    """Returns the confidence from which predictions count; 0 counts all."""
    if confidence_thresh is not None:
        return float(confidence_thresh)
    return 0.0 if math.isnan(point.thresh) else point.thresh


def _store(
    method: Evaluation,
    samples: fo_samples.Samples,
    shown: fo_samples.Samples,
    eval_key: str,
    curves: dict[str, Curve],
    error_types: list[Array],
    results: EvaluationResults,
) -> None:
    """Stores an evaluation on its dataset, completely or not at all."""
    config = method.config
    thresholds.store(config, curves, of_frames=fo_samples.is_frames_view(samples))
    with registration.registered(method, samples, eval_key, shown):
        method.write(samples, eval_key, error_types)
        method.save_run_results(samples, eval_key, results)
        method.add_fields_to_sidebar_group(
            samples, eval_key, omit_fields=(config.pred_field, config.gt_field)
        )
        panel_note.write(samples, eval_key)


def _config(
    pred_field: str, gt_field: str, iou_thresh: float, inclusive_corners: bool
) -> EvaluationConfig:
    arguments.check_number("iou_thresh", iou_thresh, 0, 1)
    if not iou_thresh:
        raise ValueError(f"iou_thresh must be in (0, 1], got {iou_thresh!r}")
    arguments.check_bool("inclusive_corners", inclusive_corners)
    config = EvaluationConfig(
        pred_field, gt_field, iou=iou_thresh, classwise=True, compute_mAP=True
    )
    config.inclusive_corners = inclusive_corners
    return config


def _check_similar(
    similar: Collection[Collection[str]] | None, classes: Sequence[str]
) -> None:
    if isinstance(similar, str) or not isinstance(similar, Collection | None):
        raise TypeError(f"similar must be sets of classes, got {similar!r}")
    for one in similar or ():
        if isinstance(one, str):
            raise ValueError(
                f"similar must be sets of classes, as [('cat', 'dog')]; got {one!r}"
            )
        class_names.check(one, "each set of similar", ordered=False)
        unknown = [name for name in one if name not in classes]
        if unknown:
            raise ValueError(
                "similar must contain only evaluated classes, got "
                f"{', '.join(unknown)}; there are: {', '.join(classes)}"
            )

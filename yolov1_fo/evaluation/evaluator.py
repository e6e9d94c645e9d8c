"""evaluate(...) -> EvaluationReport: VOC's and COCO's numbers, and errors."""

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

from fiftyone.utils.eval.coco import (
    COCODetectionResults,
    COCOEvaluation,
    COCOEvaluationConfig,
)

from yolov1_fo.config import arguments, class_names
from yolov1_fo.datasets import checks, class_lists, connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import (
    average_precision,
    coco,
    error_analysis,
    error_fields,
    evaluation_keys,
    matching,
    pairs,
    voc,
)
from yolov1_fo.evaluation.coco import Sweep
from yolov1_fo.evaluation.matching import Match, Matched, Progress
from yolov1_fo.evaluation.pairs import Compared
from yolov1_fo.evaluation.report import MEANS, EvaluationReport


class EvaluationConfig(COCOEvaluationConfig):
    """FiftyOne's settings of COCO's evaluation, for one that keeps errors too."""

    __module__ = "yolov1_fo.evaluation"  # as databases and files name it


class Evaluation(error_fields.WithErrors, COCOEvaluation):
    """COCO's evaluation as pycocotools does it; `<eval_key>_error` belongs to it.

    A detection takes, of the free objects of its class, the one that it overlaps most.
    Objects that are `difficult`, `iscrowd` or `IsGroupOf` are COCO's crowds: they
    neither count nor cost, and neither does what finds them.

    Args:
        config: its settings
    """

    __module__ = "yolov1_fo.evaluation"  # as databases and files name it

    def match(self, both: Compared, progress: Progress = None) -> Matched:
        """Returns which detection finds which object."""
        return matching.as_coco(both, self.config.iou, progress)

    def results_of(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None,
        both: Compared,
        missing: str | None,
    ) -> COCODetectionResults:
        """Returns the curves of the classes that `both` measures."""
        return _results(self, samples, eval_key, both, matches, both.sweep())


def _results(
    method: Evaluation,
    samples: fo_samples.Samples,
    eval_key: str | None,
    both: Compared,
    matches: list[Match],
    sweep: Sweep,
) -> COCODetectionResults:
    """Returns FiftyOne's results, whose `mAP()` is pycocotools'."""
    return COCODetectionResults(
        samples,
        method.config,
        eval_key,
        matches,
        sweep.precision,
        coco.RECALLS,
        coco.THRESHOLDS,
        both.classes,
        recall_sweep=sweep.recall,
        thresholds=sweep.scores,
        missing=voc.missing_of(both.classes),
        backend=method,
    )


@connection.answering()
def evaluate(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str = "ground_truth",
    eval_key: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    iou_thresh: float = 0.5,
    inclusive_corners: bool = False,
    similar: Collection[Collection[str]] | None = None,
    progress: bool | Callable[..., Any] | None = None,
) -> EvaluationReport:
    """Measures predictions against the truth.

    Objects are matched at `iou_thresh` as COCO does it, and the evaluation is kept
    under `eval_key`, whole or not at all; FiftyOne's Model Evaluation panel shows the
    VOC numbers beside its own. Objects that are `difficult`, `iscrowd` or `IsGroupOf`
    neither count nor cost, and neither do boxes without area inside the image. The best
    detections of each class have their kind in `<eval_key>_error`: `correct`,
    `localization`, `similar`, `other` or `background`.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: field of Detections with confidences, kept down to a low threshold
        gt_field ("ground_truth"): field of Detections
        eval_key (None): name of the evaluation on the dataset; None keeps none. An
            evaluation of that name, of the same fields, is replaced
        classes (None): classes to measure; by default those of `gt_field`
        iou_thresh (0.5): least overlap of a match, and of a true detection for VOC
        inclusive_corners (False): measures VOC's overlaps in pixels, as its development
            kit does: both corners belong to a box, so that it is a pixel wider than
            they are apart; needs `samples.compute_metadata()`
        similar (None): sets of classes that are taken for each other, as
            `[("cat", "dog"), ("car", "bus")]`; None takes VOC's
        progress (None): FiftyOne's: True, False, its default, or a callback

    Raises:
        ValueError: if the collection, a field or a class does not fit, or the name is
            that of something else; before anything is written

    Source: paper sections 4.2 and 4.4 (errors)
    """
    # 1. Check and read.
    samples = fo_samples.flat(samples)
    checks.check_labelled(samples, pred_field, "pred_field")
    checks.check_detections(samples, gt_field, "gt_field")
    arguments.check_number("iou_thresh", iou_thresh, 0, 1)
    if not iou_thresh:
        raise ValueError(f"iou_thresh must be in (0, 1], got {iou_thresh!r}")
    arguments.check_true_or_false("inclusive_corners", inclusive_corners)
    names = class_lists.classes_of(samples, gt_field, classes)
    _check_similar(similar, names)
    config = EvaluationConfig(
        pred_field, gt_field, iou=iou_thresh, classwise=True, compute_mAP=True
    )
    config.inclusive_corners = inclusive_corners
    method = config.build()
    found = method.prepare(samples, eval_key, names, progress)

    # 2. Compute.
    both = found.compared
    class_lists.check_measured(
        samples,
        gt_field,
        names,
        both.labels_of(both.objects),
        both.labels_of(both.found),
        given=classes is not None,
    )
    kinds = error_fields.find(both, iou_thresh, similar)
    sweep = both.sweep()
    per_class = _per_class(both, sweep, iou_thresh)
    means = _means(per_class)
    matches = [one for some in found.matches() for one in some]
    results = _results(method, samples, eval_key, both, matches, sweep)
    values = {key: means[key] for key in ("voc07", "voc10", "ap50")}
    results.custom_metrics = voc.metrics(values, iou_thresh)

    # 3. Keep.
    if eval_key is not None:
        with evaluation_keys.keeping(method, samples, eval_key):
            method.write(samples, eval_key, kinds)
            method.save_run_results(samples, eval_key, results)
            method.add_fields_to_sidebar_group(
                samples, eval_key, omit_fields=(pred_field, gt_field)
            )
    counts = error_analysis.counts(kinds, both.found, len(names))
    return EvaluationReport(
        **means,
        per_class=per_class,
        errors={
            name: dict(zip(error_analysis.KINDS, row, strict=True))
            for name, row in zip(names, counts.tolist(), strict=True)
        },
        results=results,
        left_out={
            pred_field: both.found_field.left_out,
            gt_field: both.object_field.left_out,
        },
    )


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
                f"similar names classes that are not measured: {', '.join(unknown)}; "
                f"there are: {', '.join(classes)}"
            )


def metrics(samples: fo_samples.Samples, results: Any) -> dict[str, float | None]:
    """Returns the four numbers of an evaluation that FiftyOne has made.

    Args:
        samples: that it measured
        results: FiftyOne's

    Returns:
        voc07, voc10, ap50 and coco_map; None where no class has an object
    """
    config = results.config
    names = [name for name in results.classes if name != results.missing]
    both = pairs.read(samples, config.pred_field, config.gt_field, names)
    means = _means(_per_class(both, both.sweep(), config.iou or 0.5))
    return {k: None if math.isnan(v) else v for k, v in means.items()}


def kept_numbers(samples: fo_samples.Samples, eval_key: str) -> dict[str, float]:
    """Returns the four numbers that an evaluation has kept.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: of an evaluation of detections

    Returns:
        voc07, voc10, ap50 and coco_map; NaN for what it has not measured
    """
    results = samples.load_evaluation_results(eval_key)
    kept = {one["key"]: one["value"] for one in _custom(results)}
    if hasattr(results, "iou_threshs") and hasattr(results, "mAP"):  # COCO's
        kept["coco_map"] = results.mAP()
    values = {name: kept.get(name) for name in MEANS}
    return {
        name: math.nan if value is None or value < 0 else float(value)
        for name, value in values.items()
    }


def _custom(results: Any) -> list[dict[str, Any]]:
    return list((getattr(results, "custom_metrics", None) or {}).values())


def _per_class(
    both: Compared, sweep: Sweep, iou_thresh: float
) -> dict[str, dict[str, float]]:
    curves = both.curves(iou_thresh)
    return {
        name: {
            "objects": curve.objects,
            "detections": curve.detections,
            "voc07": average_precision.voc07(curve),
            "voc10": average_precision.voc10(curve),
            "ap50": sweep.ap50(class_id),
            "coco_map": sweep.ap(class_id),
        }
        for class_id, (name, curve) in enumerate(zip(both.classes, curves, strict=True))
    }


def _means(per_class: dict[str, dict[str, float]]) -> dict[str, float]:
    return {
        key: average_precision.mean([row[key] for row in per_class.values()])
        for key in MEANS
    }

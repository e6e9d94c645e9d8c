"""The charts of a report: what they show of a run, and in which colors."""

import math
from collections.abc import Sequence

import numpy as np

from yolov1_fo.evaluation import operating_point
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.training.run_report import charts
from yolov1_fo.training.run_report.charts import Axis, Chart, Line, Mark
from yolov1_fo.training.run_report.contents import Contents, numbers
from yolov1_fo.training.run_report.names import SCORES, TERMS

BLUE, RED, GREEN, PINK, ORANGE, SKY, GRAY = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#9aa4b1"),
)
"""Colors that people with color blindness can distinguish (Okabe and Ito)."""
CLASS_COLORS = (BLUE, RED, GREEN, PINK, ORANGE, SKY)
"""Colors of classes by their ids; the next classes are dashed."""
COLORS = {
    "loss": BLUE,
    "val_loss": RED,
    "val_voc07": BLUE,
    "val_ap50": GREEN,
    "val_coco_map": ORANGE,
    "val_f1": RED,
    "val_top1": BLUE,
    "val_top5": RED,
    **dict(zip(TERMS, (BLUE, SKY, GREEN, RED, ORANGE, PINK), strict=True)),
}
ALL, EACH = "All classes", "Single classes"
NAMELESS = "#cfd6df"
"""Color of the classes if they are too many for colors and a legend."""
MAX_NAMED, MAX_LINES = 12, 60
"""Most classes with colors of their own; most classes with lines."""


def of_epochs(contents: Contents) -> list[Chart]:
    """Returns the charts over epochs: scores, losses, loss terms, learning rate."""
    loss = Axis("Loss", "loss")
    losses = {"loss": "Training", "val_loss": "Validation"}
    rate = {"learning_rate": ""}
    found = [
        _over_epochs(contents, "Validation scores", SCORES, Axis("Score", "share")),
        _over_epochs(contents, "Loss", losses, loss),
        _over_epochs(contents, "Loss components", TERMS, loss, at_least=2),
        _over_epochs(contents, "Learning rate", rate, Axis("Learning rate")),
    ]
    shown = [one for one in found if one]
    best = contents.metrics.get("epoch")
    if shown and best is not None:
        note = f"Dotted line, also in the next charts: the best epoch, {best:.0f}."
        shown[0] = shown[0]._replace(note=note)
    return shown


def _over_epochs(
    contents: Contents, title: str, names: dict[str, str], y: Axis, at_least: int = 1
) -> Chart | None:
    """Returns a chart of some metrics; None if fewer than `at_least` have values."""
    history, count = contents.history, contents.epochs
    shown = [
        Line(text, range(1, count + 1), numbers(history[name]), COLORS.get(name, BLUE))
        for name, text in names.items()
        if any(one is not None for one in numbers(history.get(name, ())))
    ]
    if len(shown) < at_least:
        return None
    x = Axis("Epoch", "epoch", count)
    return charts.lines(title, shown, x, y, upright=contents.metrics.get("epoch"))


def of_validation(contents: Contents) -> list[Chart]:
    """Returns the precision-recall and the F1-confidence chart, if they are known."""
    point = contents.overall
    recalls, f1 = validation_lines(contents)
    if point is None or not recalls:
        return []
    marks: tuple[list[Mark], list[Mark]] = ([], [])
    note = "No detection is a true positive."
    if math.isfinite(point.thresh):
        text = f"Confidence {point.thresh:.2f}"
        marks[0].append(Mark(point.recall, point.precision, text))
        marks[1].append(Mark(point.thresh, point.f1, f"F1 {point.f1:.2f}"))
        note = "Dot: the confidence threshold of the best F1."
    iou = f"IoU of at least {contents.iou_thresh:g}"
    return [
        charts.lines(
            *("Precision and recall", recalls),
            *(Axis("Recall", "share"), Axis(f"Precision ({iou})", "share")),
            marks=marks[0],
            note=note,
        ),
        charts.lines(
            *("F1 by confidence", f1),
            *(Axis("Confidence threshold", "share", _end(f1)), Axis("F1", "share")),
            marks=marks[1],
            note=note,
        ),
    ]


def validation_lines(contents: Contents) -> tuple[list[Line], list[Line]]:
    """Returns the lines of the validation split, that of all classes last.

    Returns:
        precision by recall; F1 by confidence threshold; both empty if unknown
    """
    if contents.overall is None:
        return [], []
    if contents.curves:
        recalls, f1 = _lines_by_class(contents)
    else:
        recalls, f1 = _stored_lines(contents)
    return (recalls, f1) if len(recalls[-1].x) else ([], [])


def _end(shown: Sequence[Line]) -> float:
    """Returns the end of the axis of thresholds: detections have no higher score."""
    highest = max(
        (x for one in shown for x, y in zip(one.x, one.y, strict=True) if y), default=1
    )
    return min(math.ceil(10 * float(highest) + 0.5) / 10, 1.0)


def _lines_by_class(contents: Contents) -> tuple[list[Line], list[Line]]:
    """Returns the lines of the classes with objects, and that of all of them last.

    Returns:
        precision by recall; F1 by threshold
    """
    curves = contents.matched_curves
    known = [class_id for class_id, curve in enumerate(curves) if curve.objects]
    has_names = len(known) <= MAX_NAMED
    most = sorted(known, key=lambda class_id: -curves[class_id].objects)[:MAX_LINES]
    recalls: list[Line] = []
    f1: list[Line] = []
    for class_id in sorted(most) if len(known) > 1 else ():
        line = Line("" if recalls else EACH, (), (), NAMELESS, 1.0)
        if has_names:
            again, number = divmod(class_id, len(CLASS_COLORS))
            name, color = contents.classes[class_id], CLASS_COLORS[number]
            line = Line(name, (), (), color, 1.2, again % 2 == 1)
        recalls.append(_precision_recall(line, curves[class_id]))
        f1.append(_f1(line, curves[class_id]))
    one = [contents.classes[class_id] for class_id in known if len(known) == 1]
    overall = Line(one[0] if one else ALL, (), (), charts.INK, 2.4)
    pooled = operating_point.pool(curves)
    return (
        [*recalls, _precision_recall(overall, pooled)],
        [*f1, _f1(overall, pooled)],
    )


def _precision_recall(line: Line, curve: Curve) -> Line:
    """Returns a line of precision after each true positive, also at recall 0."""
    rows = np.flatnonzero(curve.is_true)
    first = curve.precision[rows[:1]]
    recall = np.concatenate([np.zeros(len(first)), curve.recall[rows]])
    precision = np.concatenate([first, curve.precision[rows]])
    return line._replace(x=recall, y=precision)


def _f1(line: Line, curve: Curve) -> Line:
    """Returns a line of F1 at thresholds, up to the highest score."""
    threshs = operating_point.THRESHOLDS
    highest = curve.scores.max(initial=0)
    threshs = threshs[: int(np.searchsorted(threshs, highest)) + 1]
    values = [operating_point.at(curve, float(one)).f1 for one in threshs]
    return line._replace(x=threshs, y=np.array(values))


def _stored_lines(contents: Contents) -> tuple[list[Line], list[Line]]:
    """Returns the lines of all classes that are stored with the operating point."""
    stored = contents.point.get("curve")
    stored = stored if isinstance(stored, dict) else {}
    names = ("thresh", "precision", "recall")
    rows = list(zip(*(numbers(stored.get(name, ())) for name in names), strict=False))
    known = [row for row in rows if None not in row]
    thresh, precision, recall = (np.array(column, float) for column in _columns(known))
    sums = precision + recall
    f1 = np.where(sums > 0, 2 * precision * recall / np.maximum(sums, 1e-12), 0.0)
    return (
        [Line(ALL, recall, precision, charts.INK, 2.4)],
        [Line(ALL, thresh, f1, charts.INK, 2.4)],
    )


def _columns(rows: Sequence[tuple]) -> list[tuple]:
    return list(zip(*rows, strict=True)) if rows else [(), (), ()]


def object_sizes(contents: Contents) -> Chart | None:
    """Returns the chart of object sizes; None if they are unknown."""
    splits = contents.splits
    shown = []
    for name, text, color in (
        ("train", "Training split", BLUE),
        ("val", "Validation split", ORANGE),
    ):
        sizes = np.array(splits.get(name, {}).get("sizes", ()), float)
        if sizes.sum() > 0:
            edges = np.linspace(0, 100, len(sizes) + 1)[:-1]
            shown.append(Line(text, edges, 100 * sizes / sizes.sum(), color))
    S = contents.settings.get("S")
    if not shown or contents.task != "detect" or not isinstance(S, int):
        return None
    return charts.bars(
        *("Object sizes", shown),
        *(Axis("Size in % of the image", "share", 100), Axis("Objects in %")),
        upright=100 / S,
        note="Size: square root of the area. Dotted: a grid cell.",
    )

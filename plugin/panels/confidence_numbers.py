"""How many predictions a confidence shows, and how good those are, with a plot."""

import json
from typing import Any, NamedTuple

import fiftyone.operators.types as types

from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import confidence_filter, operating_point, shown_predictions
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.shown_predictions import Advice
from yolov1_fo.publishing.model_card import plain

from .. import confidence_view, dataset_values
from . import plots

NAMES = ("precision", "recall", "f1")


class Numbers(NamedTuple):
    """What the panel shows of a field at a minimum confidence.

    Attributes:
        line: what the App's view shows
        shown: number of predictions of at least the minimum confidence
        total: number of predictions
        advice: of the field
        curve: of its latest evaluation; None without
    """

    line: str
    shown: int
    total: int
    advice: Advice
    curve: Curve | None


def read(ctx: Any, field: str, thresh: float, advice: Advice, version: str) -> Numbers:
    """Returns the numbers of a field in the App's view.

    Args:
        ctx: of the panel
        field: of predictions
        thresh: minimum confidence
        advice: of the field
        version: confidences are only read again if it is another
    """
    view = confidence_view.current(ctx)
    if not confidence_view.has_field(view, field):
        view = ctx.dataset.view()  # its patches are shown
    stages = json.dumps(fo_samples.stages(confidence_filter.without(view, field)))
    scores = dataset_values.kept(
        f"confidences of {field}, {stages}",
        version,
        lambda: confidence_view.confidences(view, field),
    )
    key = advice.eval_key
    return Numbers(
        confidence_view.line(view, field, advice, scores),
        shown_predictions.count(scores, thresh),
        len(scores),
        advice,
        None if key is None else dataset_values.curve(ctx.dataset, key),
    )


def table(thresh: float, numbers: Numbers) -> str:
    """Returns what is shown at a minimum confidence, as Markdown."""
    names = ["Predictions"]
    values = [f"{numbers.shown:,} of {numbers.total:,}"]
    if numbers.curve is None:
        hint = "*Evaluate* shows precision, recall and F1 at each confidence."
    else:
        point = operating_point.at(numbers.curve, thresh)
        names += ["Objects", "Precision", "Recall", "F1"]
        values += [f"{numbers.curve.objects:,}"]
        values += [_share(getattr(point, name)) for name in NAMES]
        key = plain(str(numbers.advice.eval_key))
        hint = f"Objects, precision, recall and F1 are those of evaluation '{key}'."
        if (best := numbers.advice.thresh) is not None:
            hint += f" The best F1 is at {best:.3g}."
    first, *rest = zip(names, values, strict=True)  # a panel may be narrow
    table = "\n".join(f"| {' | '.join(row)} |" for row in (first, ("---",) * 2, *rest))
    return f"At a confidence of at least {thresh:.3g}:\n\n{table}\n\n{hint}"


def _share(value: float) -> str:
    return "-" if value != value else f"{value:.3f}"  # NaN


def add_plot(panel: types.Object, field: str, thresh: float, numbers: Numbers) -> None:
    """Adds precision, recall and F1 over the confidence, with the chosen one marked."""
    curve = numbers.curve
    if curve is None:
        return
    threshs = operating_point.THRESHOLDS.tolist()
    points = [operating_point.at(curve, one) for one in threshs]
    lines: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name.capitalize(),
            "x": threshs,
            "y": [None if value != value else round(value, 4) for value in values],
            "line": {"width": 3 if name == "f1" else 1},
        }
        for name in reversed(NAMES)
        for values in [[getattr(point, name) for point in points]]
    ]
    mark = {"color": "#999999", "dash": "dash", "width": 1}
    lines.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "Minimum",
            "x": [thresh, thresh],
            "y": [0, 1],
            "line": mark,
        }
    )
    plots.add_plot(
        panel,
        f"curve_{field.replace('.', '_')}_{numbers.advice.eval_key}",
        lines,
        "F1 by minimum confidence",
        xaxis={"title": {"text": "Confidence"}, "range": [0, 1]},
        yaxis={"range": [0, 1.02]},
    )

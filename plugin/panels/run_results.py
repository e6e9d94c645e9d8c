"""The results of a run on its page: curves, classes, confusion matrix, images."""

from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.jobs.runs_table import Row
from yolov1_fo.training.run_report import figures, pictures, reading, tables
from yolov1_fo.training.run_report.contents import Contents

from . import plots, widgets

MAX_CLASSES = 50
"""Rows of the table of classes; the report has all."""


def validation_pictures(dataset: Any, row: Row) -> dict[str, str]:
    """Returns the best, median and worst validation images by their paths in the panel.

    Args:
        dataset: of the run
        row: of the run
    """
    contents = reading.read(dataset, row.run_key)
    groups = pictures.validation(contents) if contents else []
    return {
        f"{_group(number)}.image{place}": picture.source
        for number, group in enumerate(groups)
        for place, picture in enumerate(group.pictures)
    }


def add(panel: types.Object, contents: Contents, row: Row) -> None:
    """Adds the main parts of the report: curves, confusion matrix, images."""
    version = f"{row.run_key}_{row.epoch}"
    recalls, f1 = figures.validation_lines(contents)
    for name, title, x, y, lines in (
        ("pr", "Precision and recall", "Recall", "Precision", recalls),
        ("f1", "F1 by confidence", "Confidence threshold", "F1", f1),
    ):
        if lines:
            plots.add_plot(
                panel,
                f"{name}_{version}",
                [_trace(one) for one in lines],
                title,
                xaxis={"title": {"text": x}, "range": [0, 1.02]},
                yaxis={"title": {"text": y}, "range": [0, 1.05]},
            )
    _add_classes(panel, contents, version)
    _add_confusion(panel, contents, version)
    groups = pictures.validation(contents)
    for number, group in enumerate(groups):
        title = f"{group.title} validation images" if len(groups) > 1 else group.title
        panel.md(f"**{title}**", name=f"title{number}_{version}")
        images = types.Object()
        columns = max(len(group.pictures), 1)
        equal = {"gridTemplateColumns": f"repeat({columns}, minmax(0, 1fr))"}
        view = types.GridView(
            columns=columns,
            gap=1,
            orientation="vertical",
            componentsProps={"grid": {"sx": equal}},
        )
        panel.define_property(_group(number), images, view=view)
        for place, picture in enumerate(group.pictures):
            widgets.add_picture(
                images, f"image{place}", picture.caption, picture.caption
            )


def _trace(one: Any) -> dict[str, Any]:
    """Returns a line of the report as Plotly's trace, readable on a dark ground."""
    is_overall = one.width > 2
    color = "#e0e0e0" if is_overall else one.color
    return plots.line(
        *([*map(float, one.x)], [*map(float, one.y)], one.name, color),
        is_dashed=one.is_dashed,
        has_marks=False,
    )


def _add_classes(panel: types.Object, contents: Contents, version: str) -> None:
    """Adds the table of classes."""
    columns = ("Class", "Objects", "Val", "VOC07 AP@0.5", "F1", "Confidence")
    rows = [
        [
            row.name,
            *(_number(one, ",") for one in (row.train, row.val)),
            *(_number(one, ".3f") for one in (row.ap, row.f1)),
            _number(row.thresh, ".3g"),
        ]
        for row in tables.class_rows(contents)[:MAX_CLASSES]
    ]
    widgets.add_table(panel, f"classes_{version}", columns, rows, "Classes")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _add_confusion(panel: types.Object, contents: Contents, version: str) -> None:
    """Adds the confusion matrix: rows are classes of objects."""
    confusion = tables.confusion(contents)
    if confusion is None:
        return
    counts = [[count for count, _ in row] for row in confusion.cells]
    heat = {
        "type": "heatmap",
        "x": confusion.names,
        "y": confusion.names,
        "z": [[share for _, share in row] for row in confusion.cells],
        "text": counts,
        "texttemplate": "%{text}",
        "colorscale": "Blues",
        "reversescale": True,
        "showscale": False,
        "showlegend": False,
    }
    plots.add_plot(
        panel,
        f"confusion_{version}",
        [heat],
        f"Confusion matrix (IoU of at least {contents.iou_thresh:g})",
        height=160 + 28 * len(confusion.names),
        xaxis={"title": {"text": "Prediction"}, "automargin": True},
        yaxis={
            "title": {"text": "Object"},
            "autorange": "reversed",
            "automargin": True,
        },
    )


def _group(number: int) -> str:
    return f"images{number}"

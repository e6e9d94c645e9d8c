"""The tables of a report: classes, confusion matrix, splits and settings."""

import json
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo.architectures import NETWORKS
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig, recipes
from yolov1_fo.evaluation import average_precision, outcomes
from yolov1_fo.training.run_report.contents import Contents

MAX_CLASSES = 1000
"""Rows of the table of classes; those with fewer objects are left out."""
MAX_CONFUSED = 20
"""Classes of the confusion matrix; those with fewer objects are one row and column."""


class ClassRow(NamedTuple):
    """A class in the table of classes; numbers that are unknown are None.

    Attributes:
        name: of the class
        train: objects in the training split
        val: objects in the validation split
        ap: VOC07 AP
        precision: at its threshold
        recall: at its threshold
        f1: at its threshold
        thresh: its confidence threshold
        is_own: whether the threshold is its own, not that of all classes
    """

    name: str
    train: int | None
    val: int | None
    ap: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    thresh: float | None = None
    is_own: bool = False


def class_rows(contents: Contents) -> list[ClassRow]:
    """Returns the table of classes, those with the most objects if there are many."""
    train, val = (contents.objects_by_class(name) for name in ("train", "val"))
    rows = []
    for class_id, name in enumerate(contents.classes):
        in_train, in_val = (one[class_id] if one else None for one in (train, val))
        row = ClassRow(name, in_train, in_val)
        if contents.curves:
            row = _measured(row, contents, class_id)
        rows.append(row)
    most = sorted(range(len(rows)), key=lambda row: -_weight(rows[row]))[:MAX_CLASSES]
    return [rows[row] for row in sorted(most)]


def _measured(row: ClassRow, contents: Contents, class_id: int) -> ClassRow:
    """Returns the row of a class with its AP and its operating point."""
    points, is_own = contents.class_points
    known = points[class_id].to_json()
    ap = average_precision.voc07(contents.curves[class_id])
    return row._replace(
        ap=None if math.isnan(ap) else ap,
        precision=known["precision"],
        recall=known["recall"],
        f1=known["f1"],
        thresh=known["thresh"],
        is_own=is_own[class_id],
    )


def _weight(row: ClassRow) -> int:
    return (row.train or 0) + (row.val or 0)


class Confusion(NamedTuple):
    """The confusion matrix.

    Attributes:
        names: of its rows, classes of objects; the last is the background
        cells: of each row: counts with their shares of the row
        note: about classes that are together; may be empty
    """

    names: list[str]
    cells: list[list[tuple[int, float]]]
    note: str


def confusion(contents: Contents) -> Confusion | None:
    """Returns the confusion matrix; None if it is unknown."""
    if not contents.outcomes:
        return None
    count = len(contents.classes)
    matrix = outcomes.confusion_matrix(contents.outcomes, count, contents.iou_thresh)
    names, note = list(contents.classes), ""
    if count > MAX_CONFUSED:
        matrix, names = _joined(matrix, names)
        joined = count - MAX_CONFUSED + 1
        note = f"The {joined} classes with the fewest objects are together."
    sums = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shares = matrix / sums
    cells = [
        list(zip(counts, row, strict=True))
        for counts, row in zip(matrix.tolist(), shares.tolist(), strict=True)
    ]
    return Confusion([*names, "background"], cells, note)


def _joined(matrix: Array, names: Sequence[str]) -> tuple[Array, list[str]]:
    """Returns the matrix with the rarest classes as one."""
    order = np.argsort(-matrix[:-1].sum(axis=1), kind="stable")
    kept = np.sort(order[: MAX_CONFUSED - 1])
    group = np.full(len(matrix), len(kept))
    group[kept] = np.arange(len(kept))
    group[-1] = len(kept) + 1
    small = np.zeros((len(kept) + 2,) * 2, np.int64)
    np.add.at(small, (group[:, None], group[None]), matrix)
    return small, [*(names[row] for row in kept), "other classes"]


class SplitRow(NamedTuple):
    """A split in the data summary; numbers that are unknown are None."""

    name: str
    images: int | None
    objects: int | None
    without_objects: int | None


def split_rows(contents: Contents) -> list[SplitRow]:
    """Returns the splits with their counts."""
    record, rows = contents.record, []
    for key, name, images, objects in (
        ("train", "Training", record.get("images"), record.get("objects")),
        ("val", "Validation", record.get("val_images"), None),
    ):
        split = contents.splits.get(key, {})
        by_class = contents.objects_by_class(key)
        images = split.get("images", images)
        if images:
            rows.append(
                SplitRow(
                    *(name, images),
                    sum(by_class) if by_class else objects,
                    split.get("without_objects"),
                )
            )
    return rows


def left_out(contents: Contents) -> list[str]:
    """Returns what of the training split was left out, in one line each."""
    dropped = contents.record.get("dropped") or {}
    lines = [
        f"{count:,} objects of the training split are no targets: {name}"
        for name, count in dropped.items()
        if count
    ]
    if skipped := contents.record.get("skipped"):
        lines.append(f"{skipped:,} image files could not be read")
    return lines


class SettingRow(NamedTuple):
    """A setting.

    Attributes:
        name: of the setting
        value: of this run
        usual: of its recipe, or else the default; empty if it is the same
        reason: why the recipe has its value; empty without
        help: what it does
        is_chosen: whether it is chosen for the images and the machine unless it is
            given
    """

    name: str
    value: str
    usual: str
    reason: str
    help: str
    is_chosen: bool


def setting_rows(contents: Contents) -> list[SettingRow]:
    """Returns all settings, those that differ from the recipe first."""
    settings = contents.settings
    usual, reasons, chosen = _usual(settings)
    helps = TrainConfig.describe()
    rows = [
        SettingRow(
            *(name, _text(value)),
            _text(usual[name]) if _differ(value, usual[name]) else "",
            reasons.get(name, ""),
            helps[name],
            name in chosen,
        )
        for name, value in settings.items()
        if name in usual
    ]
    return sorted(rows, key=lambda row: not row.usual)


def _usual(
    settings: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, str], set[str]]:
    """Returns the value of each setting in the recipe, the reasons, and the automatic.

    A setting that is not in the recipe has its default.
    """
    network, recipe = settings.get("network"), settings.get("recipe")
    usual = {one.name: one.default for one in fields(TrainConfig) if one.name != "C"}
    usual |= {"network": network, "recipe": recipe}
    if network not in NETWORKS or recipe not in recipes.RECIPES:
        return usual, {}, set()
    usual["B"] = NETWORKS[network].B
    found = recipes.choices(recipe, network, settings.get("output_activation"))
    usual |= {name: choice.value for name, choice in found.items()}
    reasons = {name: choice.reason for name, choice in found.items()}
    return usual, reasons, {name for name in found if found[name].is_automatic}


def _differ(value: Any, usual: Any) -> bool:
    return json.loads(json.dumps(value)) != json.loads(json.dumps(usual))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value in ("", [], ()) else str(value)

"""What is known of a run, read from its folder and its record in the database.

Either may be incomplete: a file was deleted, the run is one of an older version, or the
dataset is gone. What is missing is noted, and the report does without it.
"""

import math
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

from yolov1_fo.architectures import NETWORKS
from yolov1_fo.boxes import Array
from yolov1_fo.evaluation import (
    average_precision,
    coco,
    operating_point,
    outcomes,
    stored_detections,
)
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.operating_point import OperatingPoint
from yolov1_fo.evaluation.outcomes import Outcome
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.runs import checkpoint, history, records, run_json
from yolov1_fo.runs.history import History
from yolov1_fo.training import next_steps

IOU_THRESH = 0.5
"""Minimum IoU of a true positive, of runs that do not say theirs."""


class Contents:
    """What is known of a run.

    Args:
        folder: of the run
        dataset (None): that it belongs to
        run_key (None): its key on the dataset, if it is there

    Attributes:
        folder: of the run
        run_key: its name
        dataset: name of its dataset
        record: what it was trained with, as of `provenance.record`
        metrics: of the best checkpoint, with its `epoch`
        history: a list of numbers, one per epoch, for each metric
        point: operating point of the best checkpoint, as of `operating_point.summary`;
            empty if it was not measured
        detections: of the best checkpoint in the validation split; None if they are not
            stored
        started: when; None if unknown
        notes: what is missing, in one line each

    Raises:
        FileNotFoundError: if neither a checkpoint nor a record can be read
    """

    def __init__(
        self,
        folder: Path,
        dataset: fo.Dataset | None = None,
        run_key: str | None = None,
    ) -> None:
        self.folder, self.notes = folder, list[str]()
        best, metadata = self._read_best()
        self.started: datetime | None = None
        stored = self._read_stored(dataset, run_key)
        if not metadata and not stored:
            raise FileNotFoundError(f"'{folder}' has no report: {self.notes[0]}")
        self.record = {**metadata, **stored}
        self.run_key = run_key or str(metadata.get("run_key") or folder.name)
        self.dataset = dataset.name if dataset else str(metadata.get("dataset") or "?")
        known = stored.get("best") or {}
        self.metrics = {**known, **(metadata.get("metrics") or {})}
        self.metrics["epoch"] = metadata.get("epoch") or known.get("epoch")
        parts = (one.get("operating_point") for one in (metadata, stored))
        self.point: dict[str, Any] = next((one for one in parts if one), {})
        self.history = self._read_history(dataset, run_key)
        self.detections = self._read_detections(best)

    def _read_best(self) -> tuple[Path | None, dict[str, Any]]:
        """Returns the folder of the best checkpoint, and its metadata; or nothing."""
        try:
            best = checkpoint.read_pointer(self.folder, "best")
            best = best or checkpoint.read_pointer(self.folder, "last")
            if best is None:
                self.notes.append("there is no checkpoint")
                return None, {}
            return best, checkpoint.read_metadata(best)
        except (OSError, ValueError) as error:
            self.notes.append(_without_folder(error, self.folder))
            return None, {}

    def _read_stored(
        self, dataset: fo.Dataset | None, run_key: str | None
    ) -> dict[str, Any]:
        """Returns the record of the run; empty if there is none that can be read."""
        if dataset is None or run_key is None:
            self.notes.append("the run is not in the database")
            return {}
        self.started = dataset.get_run_info(run_key).timestamp
        stored = dict(vars(records.info(dataset, run_key)))
        try:
            run_json.check(self.folder / "its record", stored)
        except ValueError as error:
            self.notes.append(_without_folder(error, self.folder))
            return {}
        return stored

    def _read_history(self, dataset: fo.Dataset | None, run_key: str | None) -> History:
        found = history.read(self.folder)
        if found or dataset is None or run_key is None:
            return found
        self.notes.append(f"{history.LOG} is missing or damaged")
        return records.curves(dataset, run_key)

    def _read_detections(self, best: Path | None) -> SplitDetections | None:
        if best is None or not self.point:
            return None
        try:
            found = stored_detections.read(best, len(self.classes))
        except ValueError as error:
            self.notes.append(_without_folder(error, self.folder))
            return None
        if found is None:
            self.notes.append(
                f"{stored_detections.FILE} of the best checkpoint is missing, and with "
                "it the metrics of classes, the confusion matrix and the images"
            )
        return found

    @property
    def classes(self) -> list[str]:
        """Class names in the order of their ids."""
        return self.record["classes"]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the training."""
        return self.record["settings"]

    @property
    def task(self) -> str:
        """What the network was trained for: detect or classify."""
        return self.record.get("task") or "detect"

    @property
    def epochs(self) -> int:
        """Number of finished epochs; 0 if the history is lost."""
        return max(map(len, self.history.values()), default=0)

    @property
    def has_backbone(self) -> bool:
        """Whether the network is a head on a pretrained backbone."""
        architecture = NETWORKS.get(str(self.settings.get("network")))
        return architecture is not None and bool(architecture.backbone)

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """Summaries of the splits, as of `split_summary.summarize`, by name."""
        stored = self.record.get("splits")
        parts = stored.items() if isinstance(stored, dict) else ()
        return {name: part for name, part in parts if isinstance(part, dict)}

    def objects_by_class(self, split: str) -> list[int] | None:
        """Returns the number of objects of each class; None if it is unknown.

        Args:
            split: train or val
        """
        counts = self.splits.get(split, {}).get("objects")
        if isinstance(counts, list) and len(counts) == len(self.classes):
            return [int(one) for one in counts]
        if split != "val" or not self.curves:
            return None
        return [curve.objects for curve in self.curves]

    @property
    def commands(self) -> list[next_steps.Step]:
        """What can be done with the run, as commands for a shell."""
        field = str(self.record.get("gt_field") or "ground_truth")
        return next_steps.steps(self.dataset, self.run_key, field, self.task)

    @property
    def iou_thresh(self) -> float:
        """Minimum IoU of a true positive."""
        return self.point.get("iou_thresh") or IOU_THRESH

    @cached_property
    def curves(self) -> list[Curve]:
        """The precision-recall curve of each class; empty if they are unknown."""
        split = self.detections
        if split is None:
            return []
        count = len(self.classes)
        return average_precision.curves(
            split.found, split.truth, count, self.iou_thresh
        )

    @cached_property
    def matched_curves(self) -> list[Curve]:
        """Likewise, matched as the operating point; see `coco.curves`."""
        split = self.detections
        if split is None:
            return []
        count = len(self.classes)
        return coco.curves(split.found, split.truth, count, self.iou_thresh)

    @cached_property
    def overall(self) -> OperatingPoint | None:
        """The operating point of all classes; None if it was not measured."""
        return OperatingPoint.from_json(self.point) if self.point else None

    @cached_property
    def class_points(self) -> tuple[list[OperatingPoint], list[bool]]:
        """The point of each class, and whether its threshold is its own."""
        if not self.matched_curves or self.overall is None:
            return [], []
        return operating_point.by_class(self.matched_curves, self.overall)

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """What is right in each validation image; empty if it is unknown."""
        split = self.detections
        if split is None:
            return []
        threshs = self._threshs()
        return [
            outcomes.outcome(found, truth, threshs, self.iou_thresh)
            for found, truth in zip(split.found, split.truth, strict=True)
        ]

    def _threshs(self) -> Array:
        points, _ = self.class_points
        threshs = np.array([point.thresh for point in points], np.float64)
        return np.where(np.isnan(threshs), math.inf, threshs)


def _without_folder(error: Exception, folder: Path) -> str:
    """Returns an error in one line, its paths relative to the run's folder."""
    line = " ".join(str(error).split())
    return line.replace(f"{folder}/", "").replace(f"{folder}\\", "")


def numbers(values: Any) -> list[float | None]:
    """Returns the finite numbers of a curve, None in place of others."""
    return [
        float(one) if isinstance(one, int | float) and math.isfinite(one) else None
        for one in values
    ]

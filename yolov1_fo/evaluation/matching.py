"""Which detection finds which object: as FiftyOne keeps it, and as marks on both."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from fiftyone.core.utils import ProgressBar

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import average_precision, coco
from yolov1_fo.evaluation.pairs import Compared

Match = tuple[
    str | None, str | None, float | None, float | None, str | None, str | None
]
"""FiftyOne's: label, predicted label, overlap, confidence, id, predicted id."""
Marks = tuple[list[str | None], list[str | None], list[float | None]]
"""Of each object: what it is, which it belongs to, and how far they overlap."""
Progress = bool | Callable[..., Any] | None
"""FiftyOne's: True, False, its default, or a callback."""


class Matched(NamedTuple):
    """Predictions beside the truth, and what finds what.

    What is ignored neither counts nor costs, and neither does what finds it: they have
    no mark and no match.

    Attributes:
        compared: predictions beside the truth
        targets: by image (K,) the number of the object that a detection finds; -1
        overlaps: by image (K,)
    """

    compared: Compared
    targets: list[Array]
    overlaps: list[Array]

    @property
    def ids(self) -> list[str]:
        """Ids of the images."""
        return self.compared.ids

    def matches(self) -> list[list[Match]]:
        """Returns FiftyOne's matches, by image."""
        return [self._matches(image) for image in range(len(self.targets))]

    def _matches(self, image: int) -> list[Match]:
        both, target = self.compared, self.targets[image]
        found, truth = both.found[image], both.objects[image]
        ids, true_ids = both.found_field.ids[image], both.object_field.ids[image]
        names = both.labels
        made: list[Match] = []
        for row in np.argsort(-found.scores, kind="stable").tolist():
            label, score = names[found.class_ids[row]], float(found.scores[row])
            place = int(target[row])
            if place < 0:
                made.append((None, label, None, score, None, ids[row]))
            elif not truth.difficult[place]:
                overlap = float(self.overlaps[image][row])
                made.append((label, label, overlap, score, true_ids[place], ids[row]))
        missed = ~truth.difficult
        missed[target[target >= 0]] = False
        for place in np.flatnonzero(missed).tolist():
            label = names[truth.class_ids[place]]
            made.append((label, None, None, None, true_ids[place], None))
        return made

    def write(
        self, samples: fo_samples.Samples, pred_field: str, gt_field: str, key: str
    ) -> None:
        """Writes `tp`, `fp` and `fn` to objects, and their numbers to samples.

        Args:
            samples: that were compared
            pred_field: their predictions
            gt_field: their truth
            key: name of the evaluation
        """
        images = range(len(self.targets))
        marks = [self._marks(image) for image in images]
        both = self.compared
        sides = ((pred_field, both.found_field), (gt_field, both.object_field))
        for image_size, (name, field) in enumerate(sides):
            for column, end in enumerate(("", "_id", "_iou")):
                values = [marks[image][image_size][column] for image in images]
                path = f"{name}.detections.{key}{end}"
                samples.set_values(path, field.spread(values), progress=False)
        counted = [_count(some) for some in self.matches()]
        everything = fo_samples.whole(samples)  # a view may hide the fields
        for column, end in enumerate(("_tp", "_fp", "_fn")):
            numbers = [some[column] for some in counted]
            by_id = dict(zip(both.ids, numbers, strict=True))
            everything.set_values(f"{key}{end}", by_id, key_field="id", progress=False)

    def _marks(self, image: int) -> tuple[Marks, Marks]:
        """Returns the marks of the detections, and of the objects."""
        both, target = self.compared, self.targets[image].tolist()
        ids, true_ids = both.found_field.ids[image], both.object_field.ids[image]
        overlap = self.overlaps[image].tolist()
        ignored = both.objects[image].difficult.tolist()
        ours: Marks = (["fp"] * len(ids), [None] * len(ids), [None] * len(ids))
        n = len(true_ids)
        missed = [None if x else "fn" for x in ignored]
        theirs: Marks = (missed, [None] * n, [None] * n)
        for row, place in enumerate(target):
            if place < 0:
                continue
            ours[0][row] = None if ignored[place] else "tp"
            ours[1][row], ours[2][row] = true_ids[place], overlap[row]
            if not ignored[place]:
                theirs[0][place] = "tp"
                theirs[1][place], theirs[2][place] = ids[row], overlap[row]
        return ours, theirs


def _count(matches: Sequence[Match]) -> tuple[int, int, int]:
    """Returns how many are true, false, and missed."""
    true = sum(one[0] is not None and one[1] is not None for one in matches)
    false = sum(one[0] is None for one in matches)
    return true, false, len(matches) - true - false


def as_coco(
    compared: Compared, iou_thresh: float, progress: Progress = None
) -> Matched:
    """Returns what finds what as COCO has it; see `coco.match`."""
    found, objects = compared.as_coco_has_them()
    images = zip(found, objects, strict=True)
    with ProgressBar(total=len(found), progress=progress) as bar:
        pairs = [coco.match(ours, truth, iou_thresh) for ours, truth in bar(images)]
    return Matched(compared, [one[0] for one in pairs], [one[1] for one in pairs])


def as_voc(compared: Compared, iou_thresh: float) -> Matched:
    """Returns what finds what as VOC has it; see `average_precision.match`."""
    pairs = [
        average_precision.match(*one, iou_thresh, compared.border)
        for one in zip(compared.found, compared.objects, strict=True)
    ]
    return Matched(compared, [one[0] for one in pairs], [one[1] for one in pairs])

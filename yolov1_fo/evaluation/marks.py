"""The marks of an evaluation: what it writes to objects and samples."""

from collections.abc import Iterator

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import sample_updates
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.sample_updates import SampleUpdate
from yolov1_fo.evaluation.error_analysis import ERROR_TYPES
from yolov1_fo.evaluation.evaluation_keys import OBJECT_SUFFIXES, SAMPLE_SUFFIXES
from yolov1_fo.evaluation.matching import Matching

Marks = list[tuple[str | None, str | None, float | None, str | None]]
"""Of each object: tp, fp or fn; the id of the object it is matched with; their IoU; and
the error type. All are None of objects that do not count."""
NO_MARK = (None, None, None, None)
_ERROR_NAMES = (*ERROR_TYPES, None)  # the last one is for -1


def write(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    eval_key: str,
    matching: Matching,
    error_types: list[Array],
) -> None:
    """Writes the marks of objects, and the counts of `tp`, `fp` and `fn` of samples.

    Args:
        samples: the evaluated samples
        pred_field: their predictions
        gt_field: their ground truth
        eval_key: name of the evaluation
        matching: of the samples
        error_types: of each detection, by image, see `error_analysis`
    """
    fields = pred_field, gt_field
    updates = _updates(matching, error_types, fields, eval_key)
    sample_updates.write(samples, updates)


def _updates(
    matching: Matching,
    error_types: list[Array],
    fields: tuple[str, str],
    eval_key: str,
) -> Iterator[SampleUpdate]:
    names = [f"{eval_key}{suffix}" for suffix in OBJECT_SUFFIXES]
    counted = [f"{eval_key}{suffix}" for suffix in SAMPLE_SUFFIXES]
    data = matching.data
    for image, sample_id in enumerate(data.ids):
        both = marks_of(matching, image, error_types[image])
        objects: dict[str, dict[str, dict[str, str | float | None]]] = {}
        sides = zip(fields, both, (data.pred_field, data.gt_field), strict=True)
        for name, marks, field in sides:
            written = names if name == fields[0] else names[:-1]  # without error type
            pairs = [*zip(field.ids[image], marks, strict=True)]
            pairs += [(one, NO_MARK) for one in field.other_ids[image]]
            objects.setdefault(name, {}).update(
                (key, dict(zip(written, mark, strict=False))) for key, mark in pairs
            )
        counts = count(both)
        yield SampleUpdate(sample_id, dict(zip(counted, counts, strict=True)), objects)


def count(both: tuple[Marks, Marks]) -> tuple[int, int, int]:
    """Returns the numbers of true positives, false positives and false negatives.

    Args:
        both: marks of the detections, and of the objects
    """
    predicted, true = ([one[0] for one in marks] for marks in both)
    return predicted.count("tp"), predicted.count("fp"), true.count("fn")


def marks_of(matching: Matching, image: int, error_types: Array) -> tuple[Marks, Marks]:
    """Returns the marks of the detections of an image, and of its objects.

    Args:
        matching: of all images
        image: its number
        error_types: of its detections, indices into `ERROR_TYPES`; -1 for none
    """
    data, target = matching.data, matching.targets[image]
    ids, true_ids = data.pred_field.ids[image], data.gt_field.ids[image]
    overlaps = matching.overlaps[image].tolist()
    difficult = data.objects[image].difficult.tolist()
    is_missed = matching.is_object(image).tolist()
    true: Marks = [("fn" if one else None, None, None, None) for one in is_missed]
    predicted: Marks = []
    counts = matching.is_counted(image).tolist()
    types = [_ERROR_NAMES[one] for one in error_types.tolist()]
    for row, place in enumerate(target.tolist()):
        if place < 0:
            predicted.append(("fp" if counts[row] else None, None, None, types[row]))
            continue
        mark = None if difficult[place] else "tp"
        predicted.append((mark, true_ids[place], overlaps[row], types[row]))
        if not difficult[place]:
            true[place] = ("tp", ids[row], overlaps[row], None)
    return predicted, true

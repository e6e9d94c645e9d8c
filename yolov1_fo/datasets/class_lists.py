"""Which classes a field has: the caller's, the dataset's, or those of its labels."""

import logging
from collections.abc import Collection, Sequence

from yolov1_fo.config import class_names, spelling
from yolov1_fo.datasets import checks
from yolov1_fo.datasets import samples as fo_samples

logger = logging.getLogger(__name__)


def classes_of(
    samples: fo_samples.Samples, field: str, classes: Sequence[str] | None = None
) -> list[str]:
    """Returns the class list: the argument, else the dataset's, else what is there.

    Raises:
        TypeError: if it is no list of strings
        ValueError: if two classes can't be told apart, one is blank, or there is none
    """
    if classes is not None:
        return class_names.check(classes)
    own, where = own_classes(samples, field)
    if own:
        return class_names.check(own, where)
    there = samples.distinct(checks.label_path(samples, field))
    there = sorted((label for label in there if label is not None), key=str)
    if not there:
        raise ValueError(f"'{field}' on {fo_samples.name(samples)} has no objects")
    return class_names.check(
        there, f"labels of '{field}' on {fo_samples.name(samples)}"
    )


def own_classes(samples: fo_samples.Samples, field: str) -> tuple[list[str], str]:
    """Returns the classes that a dataset says a field has, and where; or none."""
    dataset = samples._root_dataset
    path = f"frames.{field}" if samples._is_frames else field
    if of_field := dataset.classes.get(path):
        return list(of_field), f"classes['{path}'] of dataset '{dataset.name}'"
    return list(dataset.default_classes), f"default_classes of dataset '{dataset.name}'"


def check_measured(
    samples: fo_samples.Samples,
    field: str,
    classes: Sequence[str],
    truth: Collection[str | None],
    found: Collection[str | None],
    *,
    given: bool,
) -> None:
    """Says which classes are measured in vain, and which labels are not measured.

    Args:
        samples: that are measured
        field: of the truth
        classes: to measure
        truth: labels of the objects that are there
        found: labels of the detections
        given: whether the caller named the classes

    Raises:
        ValueError: if no class is among the labels
    """
    labels = {label for label in (*truth, *found) if isinstance(label, str)}
    if given and labels and not labels & set(classes):
        spelling.check("class", classes, sorted(labels))
    if unused := [one for one in classes if one not in set(truth)]:
        logger.warning(
            "%d of %d classes have no objects in '%s': %s",
            *(len(unused), len(classes), field, ", ".join(unused)),
        )
    own, where = own_classes(samples, field)
    left_out = sorted(labels - set(classes))
    if left_out and own and not given:
        logger.warning("%s are not measured; %s lacks them", ", ".join(left_out), where)

"""The class list of a field: given, stored on the dataset, or taken from labels."""

import logging
from collections.abc import Collection, Sequence

from yolov1_fo.config import class_names, spelling
from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples

logger = logging.getLogger(__name__)


def classes_of(
    samples: fo_samples.Samples, field: str, classes: Sequence[str] | None = None
) -> list[str]:
    """Returns the class list: the argument, else the dataset's, else all labels.

    Raises:
        TypeError: if it is not a list of strings
        ValueError: if two classes look the same, one is blank, or there is none
    """
    if classes is not None:
        return class_names.check(classes)
    own, where = own_classes(samples, field)
    if own:
        return class_names.check(own, where)
    labels = samples.distinct(checks.label_path(samples, field))
    labels = sorted((label for label in labels if label is not None), key=str)
    if not labels:
        raise ValueError(f"'{field}' on {fo_samples.name(samples)} has no objects")
    return class_names.check(
        labels, f"labels of '{field}' on {fo_samples.name(samples)}"
    )


def own_classes(samples: fo_samples.Samples, field: str) -> tuple[list[str], str]:
    """Returns a field's classes as stored on the dataset, or none, and where."""
    dataset = fiftyone_private.root_dataset(samples)
    path = f"frames.{field}" if fo_samples.is_frames_view(samples) else field
    if of_field := dataset.classes.get(path):
        return list(of_field), f"classes['{path}'] of dataset '{dataset.name}'"
    return list(dataset.default_classes), f"default_classes of dataset '{dataset.name}'"


def check_evaluated(
    samples: fo_samples.Samples,
    field: str,
    classes: Sequence[str],
    true_labels: Collection[str | None],
    predicted_labels: Collection[str | None],
    *,
    given: bool,
) -> None:
    """Warns about classes without objects, and about labels that are not evaluated.

    Args:
        samples: a checked collection
        field: of the ground truth
        classes: to evaluate
        true_labels: of the objects
        predicted_labels: of the predictions
        given: whether `classes` was passed by the caller

    Raises:
        ValueError: if no class is among the labels
    """
    labels = {
        label for label in (*true_labels, *predicted_labels) if isinstance(label, str)
    }
    if given and labels and not labels & set(classes):
        spelling.check_names("class", classes, sorted(labels))
    if unused := [one for one in classes if one not in set(true_labels)]:
        logger.warning(
            "%d of %d classes have no objects in '%s': %s",
            *(len(unused), len(classes), field, ", ".join(unused)),
        )
    own, where = own_classes(samples, field)
    left_out = sorted(labels - set(classes))
    if left_out and own and not given:
        logger.warning(
            "labels not evaluated, because %s lacks them: %s",
            *(where, ", ".join(left_out)),
        )

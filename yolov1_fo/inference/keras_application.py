"""Applies a Keras model of somebody else, whose labels are of any kind."""

from collections.abc import Callable, Iterator
from typing import Any

import fiftyone.core.utils as fou

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_PREDICTION_BATCH, arguments
from yolov1_fo.datasets import fiftyone_private, new_field, schema
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.bulk_writer import WRITE_EVERY
from yolov1_fo.model.keras_tasks.task_model import KerasTaskModel


def apply_to_new_field(
    samples: fo_samples.Samples,
    model: KerasTaskModel,
    label_field: str,
    *,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes a model's labels to a new field.

    If an error occurs, the field is deleted.

    Args:
        samples: a FiftyOne dataset or view of images
        model: from `load_model`
        label_field: that does not exist yet
        batch_size (16): images per forward pass
        progress (None): as in FiftyOne

    Returns:
        unreadable and truncated image files, with what is wrong with each

    Raises:
        ValueError: if the field exists, or the samples are no images
    """
    arguments.check_integer("batch_size", batch_size, 1, MAX_PREDICTION_BATCH)
    new_field.check(samples, label_field, "label_field")
    ids, paths = samples.values(["id", "filepath"])
    rows = [*zip(ids, paths, strict=True)]
    faults: dict[str, str] = {}
    labels: dict[str, Any] = {}
    try:
        with fou.ProgressBar(total=len(rows), progress=progress) as bar:
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                found = dict(_readable(batch, faults))
                predicted = model.predict_all([*found.values()]) if found else []
                labels |= zip(found, predicted, strict=True)
                if len(labels) >= WRITE_EVERY:
                    _write(samples, label_field, labels)
                bar.update(len(batch))
        _write(samples, label_field, labels)
    except BaseException:  # also when a job is stopped
        dataset = fiftyone_private.root_dataset(samples)
        if schema.current_field(dataset, label_field) is not None:
            dataset.delete_sample_field(label_field)
        raise
    return faults


def _readable(
    batch: list[tuple[str, str]], faults: dict[str, str]
) -> Iterator[tuple[str, Array]]:
    """Yields ids and pixels of the files that can be read; adds the faults of others.

    Of a truncated file, it is the part that can be decoded.
    """
    for sample_id, path in batch:
        image, fault, _ = images.decode(path)
        if fault is not None:
            faults[path] = fault
        if image is not None:
            yield sample_id, image


def _write(
    samples: fo_samples.Samples, label_field: str, labels: dict[str, Any]
) -> None:
    """Writes the labels that are not None, and forgets them."""
    given = {key: label for key, label in labels.items() if label is not None}
    labels.clear()
    if given:
        fiftyone_private.root_dataset(samples).set_values(
            label_field, given, key_field="id", dynamic=True, progress=False
        )

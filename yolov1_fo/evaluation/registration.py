"""Registering evaluations on a dataset and deleting failed or unfinished ones."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import fiftyone.core.odm as foo

from yolov1_fo.datasets import connection, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import evaluation_keys
from yolov1_fo.evaluation.evaluation_keys import StoredEvaluation

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def registered(
    method: Any,
    samples: fo_samples.Samples,
    eval_key: str,
    shown: fo_samples.Samples | None = None,
) -> Iterator[None]:
    """Registers an evaluation; deletes it if the body fails.

    An unfinished evaluation of ours with the same name is deleted first.

    Args:
        method: FiftyOne's evaluation method
        samples: a checked collection
        eval_key: a checked name
        shown (None): the view that `load_evaluation_view` loads; by default the samples
    """
    delete_unfinished(samples, eval_key)
    method.validate_run(samples, eval_key)
    try:
        method.register_run(samples if shown is None else shown, eval_key)
        method.register_samples(samples, eval_key)
        yield
    except BaseException:
        roll_back(method, samples, eval_key)
        raise


def delete_unfinished(samples: fo_samples.Samples, eval_key: str) -> None:
    """Deletes an evaluation of ours that was interrupted, with a warning."""
    if eval_key not in samples.list_evaluations():
        return
    if StoredEvaluation.read(samples, eval_key).is_unfinished:
        logger.warning("replacing evaluation '%s', which was interrupted", eval_key)
        delete(samples, eval_key)


def delete(samples: fo_samples.Samples, eval_key: str) -> None:
    """Deletes an evaluation of detections, if it exists, with all its fields.

    FiftyOne does not delete all fields if a field was compared with itself.
    """
    dataset = fiftyone_private.root_dataset(samples)
    if eval_key not in dataset.list_evaluations():
        return
    stored = StoredEvaluation.read(dataset, eval_key)
    dataset.delete_evaluation(eval_key)
    fields = evaluation_keys.paths(stored.pred_field, stored.gt_field, eval_key)
    if left := [field for field in fields if dataset.has_field(field)]:
        dataset.delete_sample_fields(left)


def roll_back(method: Any, samples: fo_samples.Samples, eval_key: str) -> None:
    """Deletes an evaluation that failed, with all its fields."""
    try:
        with connection.short_timeout():
            foo.get_db_conn().command("ping")  # FiftyOne deletes in memory first
            delete(samples, eval_key)
            method.cleanup(samples, eval_key)
    except connection.ERRORS:
        logger.warning(
            "evaluation '%s' could not be deleted; the next one replaces it", eval_key
        )

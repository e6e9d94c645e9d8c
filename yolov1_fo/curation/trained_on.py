"""How many samples the model of a predictions field was trained on."""

import logging
from pathlib import Path

from yolov1_fo.curation import whole_samples
from yolov1_fo.datasets import predicted_by
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.runs import registry, training_samples

logger = logging.getLogger(__name__)

ADVICE = "folds=3 predicts each sample with a model that was not trained on it"


def count(
    samples: fo_samples.Samples, pred_field: str, run_key: str | None = None
) -> int | None:
    """Returns how many samples the model of some predictions was trained on.

    Args:
        samples: a checked collection
        pred_field: its predictions
        run_key (None): the training run of their model; by default, what `apply` has
            recorded

    Returns:
        the number as far as known; None if nothing is

    Raises:
        ValueError: if there is no such run
        FileNotFoundError: if its folder does not exist
    """
    dataset = whole_samples.dataset_of(samples)
    models = predicted_by.read(dataset, pred_field)
    if run_key is not None:
        folder = registry.existing_folder(dataset, run_key)
        models = [{"model": run_key, "run_folder": folder}]
    learned: set[str] = set()
    is_known = bool(models)
    for model in models:
        run_folder = model.get("run_folder")
        ids = training_samples.read(Path(run_folder)) if run_folder else None
        is_known &= ids is not None or bool(model.get("out_of_fold"))
        learned |= ids or set()
    found = len(learned.intersection(samples.values("id")))
    return found if is_known or found else None


def warn(
    samples: fo_samples.Samples, pred_field: str, run_key: str | None = None
) -> int | None:
    """Warns if a model agrees with labels because it has learned them.

    Its arguments, result and errors are those of `count`.
    """
    found = count(samples, pred_field, run_key)
    if found:
        logger.warning(
            "the model of '%s' was trained on %d of these %d samples, and tends to "
            "agree with their labels, right or wrong; %s",
            *(pred_field, found, len(samples), ADVICE),
        )
    elif found is None:
        logger.warning(
            "it is not known which of these %d samples the model of '%s' was trained "
            "on; it tends to agree with their labels, right or wrong; %s",
            *(len(samples), pred_field, ADVICE),
        )
    return found

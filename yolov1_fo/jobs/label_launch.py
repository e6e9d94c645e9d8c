"""Starts the jobs of the circle of labels, after all checks that need no Keras."""

from typing import Any

from yolov1_fo.config import arguments
from yolov1_fo.curation import (
    candidates,
    mistake_fields,
    mistake_search,
    suggestion_search,
    whole_samples,
)
from yolov1_fo.curation.mistake_fields import MistakeFields
from yolov1_fo.curation.suggestion_search import SuggestionSearch
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.jobs import launch, spawn
from yolov1_fo.jobs.job import Job
from yolov1_fo.runs import folders

MAX_FOLDS = 20
OUT_OF_FOLD = "out_of_fold"
"""Field of the predictions of `find_mistakes` with `folds`."""


def find_mistakes(
    samples: fo_samples.Samples,
    pred_field: str | None,
    gt_field: str,
    *,
    folds: int | None = None,
    mistake_field: str = mistake_fields.MISTAKE_FIELD,
    min_score: float = mistake_search.MIN_SCORE,
    settings: dict[str, Any] | None = None,
    device: str | None = None,
) -> Job:
    """Starts a search for mistakes in labels.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: the predictions; None with `folds`
        gt_field: the labels
        folds (None): number of trainings
        mistake_field ("mistake"): name of the attributes and views
        min_score (0.3): less likely mistakes are left out
        settings (None): fields of `TrainConfig`, with `folds`
        device (None): number of a GPU, or `cpu`, with `folds`

    Raises:
        ValueError: if the samples, a field or a setting is invalid
        ImportError: if TensorFlow is needed and not installed
        OSError: if the job did not start
    """
    fields = check_mistakes(
        *(samples, pred_field, gt_field, folds, mistake_field, min_score),
        settings=settings,
        device=device,
    )
    given = {
        "view": fo_samples.stages(fields.samples),
        "pred_field": fields.pred_field,
        "gt_field": gt_field,
        "folds": folds,
        "min_score": min_score,
        "settings": settings or {},
        "device": device,
    }
    return spawn.start(fields.dataset, "find_mistakes", mistake_field, given)


def check_mistakes(
    samples: fo_samples.Samples,
    pred_field: str | None,
    gt_field: str,
    folds: int | None = None,
    mistake_field: str = mistake_fields.MISTAKE_FIELD,
    min_score: float = mistake_search.MIN_SCORE,
    *,
    settings: dict[str, Any] | None = None,
    device: str | None = None,
) -> MistakeFields:
    """Returns what is compared, after all checks; its arguments are of `find_mistakes`.

    Raises:
        ValueError: if the samples, a field or a setting is invalid
    """
    samples = whole_samples.checked(samples)
    spawn.check_persistent(whole_samples.dataset_of(samples))
    pred_field = pred_field or OUT_OF_FOLD
    fields = MistakeFields(samples, pred_field, gt_field, mistake_field)
    mistake_search.check(fields, min_score)
    if folds is not None:
        arguments.check_integer("folds", folds, 2, MAX_FOLDS)
        labeled = whole_samples.whole(samples).exists(gt_field)
        PredictionsField(labeled, pred_field)
        launch.check_train(labeled, gt_field, None, settings, device=device)
    return fields


def suggest(
    samples: fo_samples.Samples,
    gt_field: str,
    *,
    pred_field: str | None = None,
    model: str | None = None,
    thresh: float | None = None,
    include_labeled: bool = False,
) -> Job:
    """Starts a search for labels to suggest.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field: the labels; may not exist yet
        pred_field (None): predictions to suggest from
        model (None): run key, checkpoint folder, or name of a published model, to
            suggest from otherwise
        thresh (None): lowest confidence; None is that of the best F1
        include_labeled (False): also suggests what samples with labels lack

    Raises:
        ValueError: if the samples, a field or a threshold is invalid
        FileNotFoundError: if there is no such model
        ImportError: if TensorFlow is needed and not installed
        OSError: if the job did not start
    """
    found = check_suggest(
        SuggestionSearch(
            *(samples, gt_field, thresh, suggestion_search.IOU_THRESH),
            include_labeled=include_labeled,
        ),
        pred_field,
        model,
    )
    given = {
        "view": fo_samples.stages(found.samples),
        "pred_field": pred_field,
        "model": model,
        "thresh": thresh,
        "include_labeled": include_labeled,
    }
    dataset = whole_samples.dataset_of(found.samples)
    return spawn.start(dataset, "suggest", gt_field, given)


def check_suggest(
    search: SuggestionSearch, pred_field: str | None, model: str | None
) -> SuggestionSearch:
    """Returns a search for suggestions with checked samples, after all other checks.

    Args:
        search: not checked yet
        pred_field: predictions to suggest from; None for those of a model
        model: as in `suggest`

    Raises:
        ValueError: if the samples, a field or a threshold is invalid
        FileNotFoundError: if there is no such model
        ImportError: if TensorFlow is needed and not installed
    """
    search = search.check()
    dataset = whole_samples.dataset_of(search.samples)
    spawn.check_persistent(dataset)
    folders.check_name(search.gt_field, "gt_field")
    if pred_field:
        search.thresholds(pred_field)
    else:
        spawn.check_backend()
        launch.read_metadata(dataset, model or "")
    return search


def next_to_label(
    samples: fo_samples.Samples,
    model: str,
    count: int,
    gt_field: str,
    tag: str = candidates.TAG,
) -> Job:
    """Starts the choice of samples to label next.

    Args:
        samples: a FiftyOne dataset or view of images, labeled ones included
        model: run key, checkpoint folder, or name of a published model
        count: number of samples to choose
        gt_field: the labels; may not exist yet
        tag ("next_to_label"): of the chosen samples

    Raises:
        ValueError: if the samples, the field, the tag or the number is invalid
        FileNotFoundError: if there is no such model
        ImportError: if TensorFlow is needed and not installed
        OSError: if the job did not start
    """
    samples = whole_samples.checked(samples)
    dataset = whole_samples.dataset_of(samples)
    arguments.check_integer("count", count, 1)
    check_next(samples, model, gt_field, tag)
    given = {
        "view": fo_samples.stages(samples),
        "model": model,
        "count": count,
        "gt_field": gt_field,
    }
    return spawn.start(dataset, "next_to_label", tag, given)


def check_next(
    samples: fo_samples.Samples, model: str, gt_field: str, tag: str
) -> tuple[int, int]:
    """Returns how many samples can be chosen, and how many have the tag already.

    Args:
        samples: a checked collection
        model: as in `next_to_label`
        gt_field: the labels
        tag: of the chosen samples

    Raises:
        ValueError: if the field or the tag is invalid, or all samples are labeled
        FileNotFoundError: if there is no such model
        ImportError: if TensorFlow is not installed
    """
    dataset = whole_samples.dataset_of(samples)
    spawn.check_backend()
    spawn.check_persistent(dataset)
    folders.check_name(tag, "tag")
    candidates.check_tag(samples, tag)
    unlabeled, _ = candidates.split(samples, gt_field)
    launch.read_metadata(dataset, model)
    if not len(unlabeled):
        raise ValueError(
            f"all samples have labels in '{gt_field}'; samples without have an empty "
            "value there"
        )
    return len(unlabeled), len(dataset.match_tags(tag))

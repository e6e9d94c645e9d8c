"""find_mistakes(samples, pred_field): labels that a model's predictions contradict."""

from typing import Any

from yolov1_fo.config import arguments
from yolov1_fo.curation import mistake_fields, mistake_search, whole_samples
from yolov1_fo.curation.mistake_fields import MISTAKE_FIELD, MistakeFields
from yolov1_fo.curation.mistake_report import MistakeReport
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples


@connection.one_line_errors()
def find_mistakes(
    samples: fo_samples.Samples,
    pred_field: str | None = None,
    gt_field: str = "ground_truth",
    *,
    folds: int | None = None,
    mistake_field: str = MISTAKE_FIELD,
    min_score: float = mistake_search.MIN_SCORE,
    run_key: str | None = None,
    **settings: Any,
) -> MistakeReport:
    """Finds labels that may be wrong: missing, spurious, of a wrong class, or loose.

    Each possible mistake has a score in [0, 1], the higher the more likely; from 0.5 on
    the label looks more like one that was broken on purpose than like the others. What
    these look like to the model is learned from the samples, with labels that are
    broken in memory. The predictions must be those of all scores, as of `apply`.

    The object and the prediction that contradicts it get the attributes `mistake`, the
    kind, and `mistake_score`; a missing object has only the prediction. Samples get
    `mistake_score`, the highest of theirs, and views are saved as `mistake:all` and
    `mistake:<kind>`, the most likely first. What an earlier call has written is
    replaced; `clear_mistakes` takes it away. Labels are never changed. Samples whose
    value in one of the fields is None are left out.

    A model agrees with labels that it was trained on. Without `folds`, a warning says
    how many of the samples these are. With `folds`, as many models are trained, each on
    the samples outside a fold, which it then predicts; their runs are deleted.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field ("predictions"): field of Detections with confidences. With `folds`
            it is written; then its default is `out_of_fold`
        gt_field ("ground_truth"): field of Detections
        folds (None): number of trainings, at least 2
        mistake_field ("mistake"): name of the attributes and views
        min_score (0.3): less likely mistakes are left out
        run_key (None): run whose model has predicted, if FiftyOne's `apply_model` has
            written the predictions, which does not record it
        **settings: with `folds`, arguments of `train` for each training; and
            `on_fold`, which is called with the number of a training, counted from 1,
            and the number of all, when it starts

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if the samples or an argument do not fit, or there is nothing to
            compare
    """
    samples = whole_samples.checked(samples)
    default = "predictions" if folds is None else "out_of_fold"
    fields = MistakeFields(samples, pred_field or default, gt_field, mistake_field)
    mistake_search.check(fields, min_score)
    if folds is not None:
        arguments.check_integer("folds", folds, 2)
        from yolov1_fo.curation import out_of_fold  # imports Keras

        out_of_fold.predict(samples, gt_field, fields.pred_field, folds, **settings)
    elif settings:
        raise TypeError(
            f"{', '.join(settings)} can only be given with folds, for the trainings"
        )
    return mistake_search.search(fields, min_score=min_score, run_key=run_key)


@connection.one_line_errors()
def clear_mistakes(
    samples: fo_samples.Samples, mistake_field: str = MISTAKE_FIELD
) -> None:
    """Deletes the attributes, fields and views of `find_mistakes`, if there are any.

    Args:
        samples: the FiftyOne dataset, or any view on it
        mistake_field ("mistake"): as in `find_mistakes`

    Raises:
        TypeError: if it is not a dataset or view
    """
    fo_samples.check(samples)
    mistake_fields.clear(whole_samples.dataset_of(samples), mistake_field)

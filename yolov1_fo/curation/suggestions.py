"""suggest(samples, source): labels for samples without, from a model's detections."""

from collections.abc import Callable
from typing import Any

from yolov1_fo.curation.suggestion_search import (
    IOU_THRESH,
    Suggestions,
    SuggestionSearch,
)
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples


@connection.one_line_errors()
def suggest(
    samples: fo_samples.Samples,
    source: Any,
    gt_field: str = "ground_truth",
    *,
    thresh: float | None = None,
    iou_thresh: float = IOU_THRESH,
    include_labeled: bool = False,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> Suggestions:
    """Suggests labels: a model's detections at the operating point.

    They are written to `<gt_field>_suggested` of the samples whose `gt_field` is None;
    an empty value means that there is no object. The labels and their samples get the
    tag `suggested`, and each label `source`, the name of the model. `accept` takes them
    over. Earlier suggestions for these samples are replaced.

    Of detections that overlap, also of different classes, only the best is suggested.

    Args:
        samples: a FiftyOne dataset or view of images
        source: a model from `load_model`, or the field of its predictions
        gt_field ("ground_truth"): field of Detections; may not exist yet
        thresh (None): lowest confidence; by default that of best F1, by class, of the
            latest evaluation of the field, or else of the model's validation split
        iou_thresh (0.5): detections that overlap a label of their class, or a better
            detection, by this IoU are left out
        include_labeled (False): also suggests what samples with labels lack
        batch_size (16): images per forward pass of a model
        progress (None): as in FiftyOne, for a model

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if the samples or an argument do not fit, the field of suggestions
            holds other labels, or there is no threshold
    """
    search = SuggestionSearch(samples, gt_field, thresh, iou_thresh, include_labeled)
    search = search.check()
    if isinstance(source, str):
        return search.write(search.read(source))
    from yolov1_fo.curation import model_suggestions  # imports Keras

    return search.write(
        model_suggestions.predict(
            search.chosen, source, thresh, batch_size=batch_size, progress=progress
        )
    )

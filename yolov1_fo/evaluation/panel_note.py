"""The note of an evaluation in FiftyOne's Model Evaluation panel."""

from typing import Any

from yolov1_fo.config import metric_names
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.datasets import samples as fo_samples


def text(config: Any) -> str:
    """Returns which predictions the numbers of an evaluation count, as Markdown.

    Args:
        config: of an evaluation by `evaluate`, or by an earlier version of it
    """
    lowest = getattr(config, "confidence_thresh", 0.0)
    if not lowest:
        return (
            "All numbers count all predictions. The mAP is "
            f"{metric_names.label('coco_map')}."
        )
    stored = getattr(config, "operating_point", None) or {}
    reason = ", which has the best F1" if stored.get("thresh") == lowest else ""
    return (
        "Precision, recall, F1, TP, FP, FN, the confusion matrix and the samples "
        f"behind a click count predictions with a confidence of at least {lowest:.3g}"
        f"{reason}. The mAP, which is {metric_names.label('coco_map')}, and the other "
        "APs count all predictions."
    )


def write(samples: fo_samples.Samples, eval_key: str) -> None:
    """Writes the note of a new evaluation.

    Args:
        samples: a collection of its dataset
        eval_key: name of the evaluation
    """
    dataset = fiftyone_private.root_dataset(samples)
    config = dataset.get_evaluation_info(eval_key).config
    fiftyone_private.set_evaluation_note(dataset, eval_key, text(config))


def delete(samples: fo_samples.Samples, eval_key: str) -> None:
    """Deletes the note of an evaluation that is about to be deleted."""
    dataset = fiftyone_private.root_dataset(samples)
    if eval_key in dataset.list_evaluations():
        fiftyone_private.set_evaluation_note(dataset, eval_key, None)

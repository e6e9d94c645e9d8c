"""undo_accept(samples): takes back the labels of the last call of `accept`."""

from typing import Any

import fiftyone as fo

from yolov1_fo.curation import acceptance_updates, suggestion_field, whole_samples
from yolov1_fo.curation.acceptance import Accepted
from yolov1_fo.curation.acceptance_updates import ACCEPTED_AT, ORIGIN, Accepting
from yolov1_fo.datasets import checks, connection, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples


@connection.one_line_errors()
def undo_accept(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    *,
    accepted_at: str | None = None,
) -> Accepted:
    """Takes back what the last call of `accept` has accepted in these samples.

    Suggestions become suggestions again, copies of predictions are removed. A label
    whose class or box was changed since stays. Called again, it takes back what the
    call before has accepted.

    Args:
        samples: a FiftyOne dataset or view of images; labels that a view filters are
            taken back too
        gt_field ("ground_truth"): field of Detections
        accepted_at (None): time of another call, as in the attribute `accepted_at`

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if the samples or the field do not fit
    """
    dataset, labels, time = _last_accepted(samples, gt_field, accepted_at)
    same = [one for one in labels if not acceptance_updates.is_changed(one[1])]
    suggested, updates = suggestion_field.name_of(gt_field), []
    # The last label first, so that the order of suggestions comes back, and because the
    # first one that a sample without labels got makes it such a sample again.
    for sample_id, label in reversed(same):
        origin = label[ORIGIN]["field"]
        how = Accepting(origin, gt_field, moves=origin == suggested)
        updates.append(how.undo(sample_id, label))
    if any(label[ORIGIN]["field"] == suggested for _, label in same):
        acceptance_updates.add_field(dataset, suggested)  # it may have been deleted
    changed = acceptance_updates.write(
        dataset, updates, [sample_id for sample_id, _ in same]
    )
    return Accepted(gt_field, changed, time, undone=True, kept=len(labels) - changed)


@connection.one_line_errors()
def last_accepted(
    samples: fo_samples.Samples, gt_field: str = "ground_truth"
) -> Accepted:
    """Returns what `undo_accept` would take back.

    Its arguments and errors are those of `undo_accept`.
    """
    _, labels, time = _last_accepted(samples, gt_field, None)
    kept = sum(acceptance_updates.is_changed(label) for _, label in labels)
    return Accepted(gt_field, len(labels) - kept, time, kept=kept)


def _last_accepted(
    samples: fo_samples.Samples, gt_field: str, accepted_at: str | None
) -> tuple[fo.Dataset, list[tuple[str, dict[str, Any]]], str]:
    """Returns the dataset, what a call of `accept` has accepted, and when."""
    samples = whole_samples.checked(samples, may_be_empty=True)
    whole, dataset = whole_samples.whole(samples), whole_samples.dataset_of(samples)
    checks.check_detections(whole, gt_field, "gt_field")
    suggestion_field.check_gt_field(samples, gt_field)
    found = _accepted(dataset, gt_field, set(whole.values("id")))
    times = [label[ACCEPTED_AT] for _, label in found]
    time = max(times, default="") if accepted_at is None else accepted_at
    return dataset, [one for one in found if one[1][ACCEPTED_AT] == time], time


def _accepted(
    dataset: fo.Dataset, gt_field: str, sample_ids: set[str]
) -> list[tuple[str, dict[str, Any]]]:
    """Returns sample id and stored label of each label that was accepted."""
    path = f"{gt_field}.detections"
    stored = fiftyone_private.collection(dataset)
    query = {f"{path}.{ACCEPTED_AT}": {"$type": "string"}}
    return [
        (str(sample["_id"]), label)
        for sample in stored.find(query, [path])
        if str(sample["_id"]) in sample_ids
        for label in sample[gt_field]["detections"]
        if isinstance(label.get(ACCEPTED_AT), str)
    ]

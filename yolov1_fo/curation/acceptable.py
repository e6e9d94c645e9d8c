"""Which labels `accept` can take over: suggestions, and predictions of missing objects.

It works on what a view shows. Never imports Keras.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from fiftyone import ViewField as F

from yolov1_fo.curation import suggestion_field
from yolov1_fo.curation.acceptance_updates import Accepting
from yolov1_fo.curation.mistake_kinds import MISSING


class Acceptable(NamedTuple):
    """Labels that can be accepted.

    Attributes:
        label_ids: their ids
        samples: number of their samples
    """

    label_ids: list[str]
    samples: int


def find(
    samples: Any,
    gt_field: str,
    field: str,
    *,
    mistake_field: str | None = None,
    label_ids: Iterable[str] | None = None,
    min_confidence: float = 0.0,
) -> Acceptable:
    """Returns the labels that a view shows and that were not accepted yet.

    Args:
        samples: a dataset or view
        gt_field: field of labels, which may not exist yet
        field: that holds the labels to accept
        mistake_field (None): name of the attribute of `find_mistakes`; in another field
            than that of suggestions, only missing objects are found
        label_ids (None): only some of them
        min_confidence (0.0): only those of at least this confidence
    """
    moves = field == suggestion_field.name_of(gt_field)
    is_found = F("confidence").exists(False) | (F("confidence") >= min_confidence)
    if mistake_field is not None and not moves:
        is_found &= F(mistake_field) == MISSING
    shown = samples.filter_labels(field, is_found)
    paths = ["id", f"{field}.detections.id"]
    pairs = [
        (sample_id, label_id)
        for sample_id, ids in zip(*shown.values(paths), strict=True)
        for label_id in ids or ()
    ]
    if label_ids is not None:
        wanted = set(label_ids)
        pairs = [pair for pair in pairs if pair[1] in wanted]
    if not moves and samples.has_field(gt_field):
        how = Accepting(field, gt_field, moves)
        labels = f"{gt_field}.detections.id"
        accepted = set(
            samples.select([x for x, _ in pairs]).values(labels, unwind=True)
        )
        pairs = [pair for pair in pairs if how.new_id(pair[1]) not in accepted]
    return Acceptable([one for _, one in pairs], len({one for one, _ in pairs}))

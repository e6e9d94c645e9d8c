"""accept(samples): suggestions become labels.

Each label is accepted by an update that reads and writes its sample at once. So no edit
of a user is lost, and a killed process leaves each label either accepted or not.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.fields as fof

from yolov1_fo.config import arguments
from yolov1_fo.curation import acceptance_updates, suggestion_field, whole_samples
from yolov1_fo.curation.acceptance_updates import ACCEPTED_AT, Accepting
from yolov1_fo.datasets import checks, connection, predicted_by
from yolov1_fo.datasets import samples as fo_samples


class Accepted(NamedTuple):
    """What `accept` or `undo_accept` has changed; prints as a line.

    Attributes:
        gt_field: the labels
        labels: number of labels that were accepted, or taken back
        accepted_at: when they were accepted, in UTC; empty if there are none
        undone: whether they were taken back
        kept: number of labels that were not taken back, since they have changed
    """

    gt_field: str
    labels: int
    accepted_at: str
    undone: bool = False
    kept: int = 0

    def __str__(self) -> str:
        did = "taken back from" if self.undone else "accepted into"
        line = f"{self.labels} labels {did} '{self.gt_field}'"
        if self.kept:
            line += f"; {self.kept} were changed since and stay"
        return line


@connection.one_line_errors()
def accept(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    *,
    label_ids: Iterable[str] | None = None,
    field: str | None = None,
) -> Accepted:
    """Moves suggestions into the labels of their samples.

    Those that the samples show are accepted: all of a dataset or of selected samples,
    or those that a view filters. A label that was accepted has no confidence; it has
    the attributes `source`, the name of the model, `accepted_at`, the time, and
    `suggestion`, what it was. `undo_accept` takes the labels of the last call back.

    No label is ever changed or replaced. After a call that was killed, another one
    accepts the rest.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field ("ground_truth"): field of Detections; created if it does not exist
        label_ids (None): ids of labels to accept, also of those that a view filters
        field ("<gt_field>_suggested"): that holds the labels; from another field, such
            as predictions where `find_mistakes` says that an object is missing, those
            of `label_ids` are copied

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if the samples or a field do not fit, or there is no such label
    """
    samples = whole_samples.checked(samples, may_be_empty=True)
    suggested = suggestion_field.name_of(gt_field)
    source = field or suggested
    if source != suggested and label_ids is None:
        raise ValueError(
            f"label_ids must name the labels of '{source}' to accept; without, only "
            f"suggestions in '{suggested}' are accepted"
        )
    exists = suggestion_field.check_gt_field(samples, gt_field)
    whole, dataset = whole_samples.whole(samples), whole_samples.dataset_of(samples)
    shown = samples if label_ids is None else whole
    checks.check_detections(shown, source, "field")
    if source == gt_field:
        raise ValueError(f"field must be another than gt_field, got '{gt_field}' twice")
    models = predicted_by.read(dataset, source)
    how = Accepting(
        source,
        gt_field,
        moves=source == suggested,
        source=models[-1]["model"] if models else source,
        accepted_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    )
    pairs = [*_pairs(shown, source)]
    if label_ids is not None:
        pairs = _chosen(pairs, label_ids, how, whole if exists else None)
    if not pairs:
        return Accepted(gt_field, 0, "")
    _declare(dataset, gt_field)
    updates = [how.accept(*pair) for pair in pairs]
    changed = acceptance_updates.write(
        dataset, updates, [sample_id for sample_id, _ in pairs]
    )
    return Accepted(gt_field, changed, how.accepted_at if changed else "")


def _pairs(samples: Any, field: str) -> Iterator[tuple[str, str]]:
    """Yields sample id and label id of each label that a view shows."""
    for sample_id, label_ids in zip(
        *samples.values(["id", f"{field}.detections.id"]), strict=True
    ):
        for label_id in label_ids or ():
            yield sample_id, label_id


def _chosen(
    pairs: list[tuple[str, str]],
    label_ids: Iterable[str],
    how: Accepting,
    labeled: Any,
) -> list[tuple[str, str]]:
    """Returns the pairs of some labels; those accepted already are left out.

    Raises:
        TypeError: if the ids are not strings
        ValueError: if there is no such label
    """
    if isinstance(label_ids, str):
        raise TypeError(f"label_ids must be a list of ids, got {label_ids!r}")
    wanted = dict.fromkeys(label_ids)
    for one in wanted:
        arguments.check_string("each of label_ids", one)
    found = [pair for pair in pairs if pair[1] in wanted]
    missing = [*wanted.keys() - {label_id for _, label_id in found}]
    if missing and labeled is not None:
        accepted = {label_id for _, label_id in _pairs(labeled, how.gt_field)}
        missing = [one for one in missing if how.new_id(one) not in accepted]
    if missing:
        raise ValueError(
            f"label_ids has {len(missing)} ids that are not in '{how.field}' of these "
            f"samples, such as {min(missing)!r}"
        )
    return found


def _declare(dataset: fo.Dataset, gt_field: str) -> None:
    """Adds the field of labels and its attributes to the schema if they are missing.

    Raises:
        ValueError: if an attribute has another type
    """
    for name in (suggestion_field.SOURCE, ACCEPTED_AT):
        path = f"{gt_field}.detections.{name}"
        existing = dataset.get_field(path)
        if not isinstance(existing, fof.StringField | None):
            raise ValueError(
                f"'{path}' on dataset '{dataset.name}' must hold strings to name where "
                f"a label comes from, got {type(existing).__name__}; rename it"
            )
    acceptance_updates.add_field(dataset, gt_field)
    for name in (suggestion_field.SOURCE, ACCEPTED_AT):
        dataset.add_sample_field(f"{gt_field}.detections.{name}", fof.StringField)

"""The field of suggested labels, `<gt_field>_suggested`, and its tag."""

from collections.abc import Sequence
from typing import Any

import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
from fiftyone import ViewField as F

from yolov1_fo.config import arguments
from yolov1_fo.curation import whole_samples
from yolov1_fo.datasets import checks, output_fields, schema
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.tags import Tags

TAG = "suggested"
"""Tag of suggested labels, and of the samples that have some."""
SUFFIX = "_suggested"
SOURCE = "source"
"""Attribute with the name of the model that a label comes from."""


def name_of(gt_field: str) -> str:
    """Returns the field of the suggestions for a field of labels.

    `gt_field_of(name_of(field)) == field`.
    """
    return gt_field + SUFFIX


def gt_field_of(field: str) -> str | None:
    """Returns the field of labels, given that of its suggestions; None for others.

    `gt_field_of(name_of(field)) == field`.
    """
    name = field.removesuffix(SUFFIX)
    return name if name and name != field else None


def check_gt_field(samples: fo_samples.Samples, gt_field: str) -> bool:
    """Returns whether a field of labels exists; otherwise it can be created.

    Args:
        samples: a checked collection
        gt_field: its field

    Raises:
        TypeError: if its name is not a string
        ValueError: if it holds something else than Detections, is read-only, or can't
            be created under this name
    """
    arguments.check_string("gt_field", gt_field)
    field = schema.current_field(whole_samples.dataset_of(samples), gt_field)
    if field is None:
        schema.check_new_field(gt_field, "gt_field")
        return False
    checks.check_detections(whole_samples.whole(samples), gt_field, "gt_field")
    if field.read_only:
        raise ValueError(
            f"gt_field '{gt_field}' on {fo_samples.name(samples)} is read-only"
        )
    return True


class SuggestionField:
    """Writes suggestions; other labels in the field are an error.

    Args:
        samples: a checked collection
        gt_field: the labels that they are suggested for

    Raises:
        ValueError: if the field holds anything but suggestions, or tags are read-only
    """

    def __init__(self, samples: fo_samples.Samples, gt_field: str) -> None:
        whole, self.name = whole_samples.whole(samples), name_of(gt_field)
        self.everything = fo_samples.all_samples(samples)
        self.output = output_fields.OutputField(
            whole, self.name, fol.Detections, "the field of suggestions"
        )
        Tags(whole)
        if not self.output.exists:
            return
        is_other = F("tags").exists(False) | ~F("tags").contains(TAG)
        others = whole.filter_labels(self.name, is_other)
        if count := others.count(f"{self.name}.detections"):
            raise ValueError(
                f"'{self.name}' on {fo_samples.name(samples)} has {count} labels "
                f"without the tag '{TAG}', which are not suggestions; rename the field"
            )

    def write(self, suggestions: dict[str, list[dict[str, Any]]]) -> None:
        """Replaces the suggestions of some samples, and tags those that have some.

        Args:
            suggestions: labels of each sample, as stored, by its id
        """
        chosen = {one for one, labels in suggestions.items() if labels}
        if chosen or self.output.exists:
            with self.output:
                self.output.declare()
                declare_source(self.output.dataset, self.name)
                for sample_id, labels in suggestions.items():
                    self.output.add(sample_id, document(labels))
        self.everything.select(sorted(chosen)).tag_samples(TAG)
        others = self.everything.select(sorted(set(suggestions) - chosen))
        others.match_tags(TAG).untag_samples(TAG)


def declare_source(dataset: Any, field: str) -> None:
    """Adds the attribute `source` to the labels of a field."""
    dataset.add_sample_field(f"{field}.detections.{SOURCE}", fof.StringField)


def document(labels: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Returns the field's value for some labels, as stored; None without."""
    return {"_cls": "Detections", "detections": [*labels]} if labels else None

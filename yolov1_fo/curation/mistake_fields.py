"""The fields and saved views of `find_mistakes`, kept by a run on the dataset.

The run, FiftyOne's, is registered before anything is written and deleted last. So what
a killed process has written is known, and never taken for the user's.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
from fiftyone import ViewField as F

from yolov1_fo.config import arguments
from yolov1_fo.curation import whole_samples
from yolov1_fo.curation.label_data import LabelData
from yolov1_fo.curation.mistake_kinds import KINDS, MISSING, MISTAKE_KINDS
from yolov1_fo.curation.mistake_scores import Mistake
from yolov1_fo.datasets import fiftyone_private, schema
from yolov1_fo.datasets import samples as fo_samples

MISTAKE_FIELD = "mistake"
"""Default name of the run and the attributes."""
METHOD = "yolov1/mistakes"
"""Method of the run that keeps the fields."""
ALL = "all"
"""Name of the view of all kinds."""


class MistakeFields(NamedTuple):
    """Where possible mistakes are written.

    Objects and predictions get the attributes `<name>`, a kind, and `<name>_score`;
    samples `<name>_score`, the highest of theirs. Views are saved as `<name>:<kind>`.

    Attributes:
        samples: a checked collection
        pred_field: the predictions
        gt_field: the labels
        name: of the run and the attributes
    """

    samples: fo_samples.Samples
    pred_field: str
    gt_field: str
    name: str

    @property
    def dataset(self) -> fo.Dataset:
        """The dataset."""
        return whole_samples.dataset_of(self.samples)

    @property
    def score(self) -> str:
        """Name of the scores."""
        return f"{self.name}_score"

    def attributes(self) -> dict[str, type]:
        """Returns the paths of the attributes, with their types."""
        return {
            f"{field}.detections.{name}": kind
            for field in (self.gt_field, self.pred_field)
            for name, kind in (
                (self.name, fof.StringField),
                (self.score, fof.FloatField),
            )
        }

    def views(self) -> list[str]:
        """Returns the names of the saved views."""
        return [f"{self.name}:{kind}" for kind in (ALL, *KINDS)]

    def check(self) -> None:
        """Raises an error unless the fields can be written.

        Raises:
            TypeError: if the name is not a string
            ValueError: if a name is not valid or in use, or a field is read-only
        """
        arguments.check_string("mistake_field", self.name)
        schema.check_new_field(self.name, "mistake_field")
        dataset, where = self.dataset, fo_samples.name(self.samples)
        for field in (self.gt_field, self.pred_field):
            found = schema.current_field(dataset, field)
            if found is not None and found.read_only:
                raise ValueError(
                    f"'{field}' on {where} is read-only, but mistakes are written to "
                    "its objects"
                )
        own = own_names(dataset, self.name)
        used = next((one for one in self._used(dataset) if one not in own), None)
        if used is not None:
            raise ValueError(
                f"mistake_field '{self.name}' would replace '{used}', which {where} "
                "already has; choose another"
            )

    def _used(self, dataset: fo.Dataset) -> Iterator[str]:
        """Yields the names that exist, also of fields that are not in the schema."""
        paths = (self.score, *self.attributes())
        stored = fiftyone_private.collection(dataset)
        for path in paths:
            if dataset.has_field(path) or stored.find_one({path: {"$exists": True}}):
                yield path
        yield from filter(dataset.has_saved_view, self.views())
        if dataset.has_run(self.name) or hasattr(fol.Detection, self.name):
            yield self.name

    def write(self, data: LabelData, mistakes: Sequence[Mistake], **about: Any) -> None:
        """Writes mistakes in place of those found before.

        Args:
            data: labels and predictions
            mistakes: the most likely first
            **about: what else the run keeps, as JSON
        """
        clear(self.dataset, self.name)
        dataset = self.dataset
        config = dataset.init_run(
            method=METHOD,
            pred_field=self.pred_field,
            gt_field=self.gt_field,
            names=[self.name, self.score, *self.attributes(), *self.views()],
            **about,
        )
        dataset.register_run(self.name, config)
        for path, kind in ((self.score, fof.FloatField), *self.attributes().items()):
            dataset.add_sample_field(path, kind)
        self._write_samples(data, mistakes)
        self._write_labels(data, mistakes)
        for view in self.views():
            kind = view.partition(":")[2]
            dataset.save_view(view, self.view(kind), description=_meaning(kind))

    def _write_samples(self, data: LabelData, mistakes: Sequence[Mistake]) -> None:
        highest = dict.fromkeys(data.ids, 0.0)
        for one in reversed(mistakes):
            highest[data.ids[one.image]] = one.score
        everything = fo_samples.all_samples(self.samples)
        everything.set_values(self.score, highest, key_field="id", progress=False)

    def _write_labels(self, data: LabelData, mistakes: Sequence[Mistake]) -> None:
        """Writes each mistake to its object and to the prediction against it."""
        everything = fo_samples.all_samples(self.samples)
        sides = (
            (self.gt_field, data.gt_field.ids, "target"),
            (self.pred_field, data.pred_field.ids, "detection"),
        )
        for field, ids, side in sides:
            marked: dict[tuple[int, int], Mistake] = {}
            for one in mistakes:
                row = getattr(one, side)
                if row >= 0:
                    marked.setdefault((one.image, row), one)
            for name, part in ((self.name, "kind"), (self.score, "score")):
                values = [
                    {
                        "sample_id": data.ids[image],
                        "label_id": ids[image][row],
                        "value": getattr(one, part),
                    }
                    for (image, row), one in marked.items()
                ]
                path = f"{field}.detections.{name}"
                everything.set_label_values(path, values, progress=False)

    def view(self, kind: str) -> Any:
        """Returns the view of a kind, or of all: the most likely samples first.

        It shows the objects and the predictions against them. Beside a missing object
        it shows all objects of the image.
        """
        view = fo_samples.all_samples(self.samples).match(F(self.score) > 0)
        is_shown = F(self.name).exists() if kind == ALL else F(self.name) == kind
        for field in (self.gt_field, self.pred_field):
            if kind != MISSING or field == self.pred_field:
                view = view.filter_labels(field, is_shown, only_matches=False)
        if kind == ALL:
            return view.sort_by([(self.score, -1), ("id", 1)])
        decides = self.pred_field if kind == MISSING else self.gt_field
        objects = F(f"{decides}.detections")
        view = view.match(objects.length() > 0)
        highest = objects.map(F(self.score)).max()
        return view.sort_by([(highest, -1), ("id", 1)])


def _meaning(kind: str) -> str:
    return MISTAKE_KINDS.get(kind, "possible mistakes of all kinds")


def own_names(dataset: fo.Dataset, name: str) -> list[str]:
    """Returns the names of fields and views that a run of ours keeps."""
    dataset.reload()
    if name not in dataset.list_runs(method=METHOD):
        return []
    return list(dataset.get_run_info(name).config.names)


def clear(dataset: fo.Dataset, name: str) -> None:
    """Deletes a run's views and fields, then the run; does nothing without."""
    own = own_names(dataset, name)
    if not own:
        return
    for one in own:
        if dataset.has_saved_view(one):
            dataset.delete_saved_view(one)
    paths = [one for one in own[1:] if dataset.has_field(one)]
    dataset.delete_sample_fields(paths)
    dataset.delete_run(name)

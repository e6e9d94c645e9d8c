"""Sample tags, including those of frames views."""

import fiftyone as fo
import fiftyone.core.fields as fof

from yolov1_fo.datasets import fiftyone_private, schema
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.schema import FRAMES


class Tags:
    """The tags of all samples that a view was selected from.

    Tags of a frames view are also written to the frames of the videos, from which
    FiftyOne regenerates frames views.

    Args:
        samples: a checked collection

    Raises:
        ValueError: if its tags are read-only
    """

    def __init__(self, samples: fo_samples.Samples) -> None:
        self.samples = fo_samples.all_samples(samples)
        self.dataset: fo.Dataset = fiftyone_private.root_dataset(samples)
        path = f"{FRAMES}tags" if fo_samples.is_frames_view(samples) else "tags"
        field = schema.current_field(self.dataset, path)
        if field is not None and field.read_only:
            raise ValueError(f"tags on {fo_samples.name(samples)} are read-only")

    def add(self, tag: str, view: fo_samples.Samples) -> None:
        """Tags the samples of a view."""
        view.tag_samples(tag)
        self._save(view)

    def remove(self, tag: str) -> None:
        """Removes a tag from all samples."""
        ids = self.samples.match_tags(tag).values("id")
        if ids:
            tagged = self.samples.select(ids)
            tagged.untag_samples(tag)
            self._save(tagged)

    def _save(self, view: fo_samples.Samples) -> None:
        """Writes the tags of a frames view to the frames of the videos."""
        if not fo_samples.is_frames_view(view):
            return
        tags = dict(zip(*view.values(["id", "tags"]), strict=True))
        self.dataset.add_frame_field("tags", fof.ListField, subfield=fof.StringField)
        self.dataset.set_values(
            f"{FRAMES}tags", tags, key_field="frames.id", progress=False
        )

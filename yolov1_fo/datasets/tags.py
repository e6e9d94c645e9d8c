"""Tags of samples, which of a view of frames are tags of the videos' frames too."""

import fiftyone as fo
import fiftyone.core.fields as fof

from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets import schema
from yolov1_fo.datasets.schema import FRAMES


class Tags:
    """The tags of all samples that a collection is a part of.

    Tags of frames are written to the videos' frames too: views of frames are made anew
    from these.

    Args:
        samples: a checked collection

    Raises:
        ValueError: if its tags are read-only
    """

    def __init__(self, samples: fo_samples.Samples) -> None:
        self.samples = fo_samples.whole(samples)
        self.dataset: fo.Dataset = samples._root_dataset
        path = f"{FRAMES}tags" if samples._is_frames else "tags"
        there = schema.current(self.dataset, path)
        if there is not None and there.read_only:
            raise ValueError(f"tags on {fo_samples.name(samples)} are read-only")

    def add(self, tag: str, view: fo_samples.Samples) -> None:
        """Tags the samples of a view."""
        view.tag_samples(tag)
        self._keep(view)

    def remove(self, tag: str) -> None:
        """Takes a tag away from all samples."""
        ids = self.samples.match_tags(tag).values("id")
        if ids:
            tagged = self.samples.select(ids)
            tagged.untag_samples(tag)
            self._keep(tagged)

    def _keep(self, view: fo_samples.Samples) -> None:
        if not view._is_frames:
            return
        tags = dict(zip(*view.values(["id", "tags"]), strict=True))
        self.dataset.add_frame_field("tags", fof.ListField, subfield=fof.StringField)
        self.dataset.set_values(
            f"{FRAMES}tags", tags, key_field="frames.id", progress=False
        )

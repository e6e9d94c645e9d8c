"""The `samples` argument: checking it, its group slice, its name, its view as JSON."""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.collections as foc
import fiftyone.core.media as fomm
from bson import json_util
from fiftyone.core.video import FramesView

from yolov1_fo.datasets import fiftyone_private

logger = logging.getLogger(__name__)

Samples = Any
"""A FiftyOne dataset or view."""


def name(samples: Samples) -> str:
    """Returns the name of a collection for error messages.

    Examples: dataset 'voc'; a view on dataset 'voc'.
    """
    if isinstance(samples, fo.Dataset):
        return f"dataset '{samples.name}'"
    return f"a view on dataset '{samples.dataset_name}'"


def is_frames_view(samples: Samples) -> bool:
    """Returns whether the samples of a view are frames of videos."""
    return isinstance(samples, FramesView)


def all_samples(samples: Samples, *, of_videos: bool = False) -> Samples:
    """Returns all samples that a view was selected from, with all their fields.

    Args:
        samples: a checked collection
        of_videos (False): for a frames view, returns the videos instead of all frames
    """
    if is_frames_view(samples) and not of_videos:
        return fiftyone_private.all_frames(samples)
    root = fiftyone_private.root_dataset(samples)
    if root.media_type == fomm.GROUP:
        media_type = fomm.VIDEO if of_videos else samples.media_type
        return root.select_group_slices(media_type=media_type)
    return root


def is_empty(samples: Samples) -> bool:
    """Returns whether a collection has no samples.

    The length of a dataset is an estimate of MongoDB's, which can be wrong, even 0,
    after its server was killed; the length of a view is counted.
    """
    return not len(samples.limit(1))


def ungrouped(
    samples: Any,
    argument: str = "samples",
    media_types: Sequence[str] = (fomm.IMAGE,),
) -> Samples:
    """Returns a dataset or view; of a grouped one, its active slice.

    Another slice is selected with FiftyOne: `dataset.group_slice = "left"`, or
    `dataset.select_group_slices("left")`.

    Args:
        samples: the value of the argument
        argument ("samples"): its name, for error messages
        media_types (images): that the slice may hold

    Raises:
        TypeError: if it is not a dataset or view
        ValueError: if the active slice holds another media type
    """
    check(samples, argument)
    if samples.media_type != fomm.GROUP:
        return samples
    what, active = name(samples), samples.group_slice
    if fiftyone_private.has_dynamic_groups(samples):
        raise ValueError(
            f"{what} shows groups; pass their samples: {argument}.flatten()"
        )
    slices = samples.group_media_types
    if slices.get(active) not in media_types:
        usable = [name for name, kind in slices.items() if kind in media_types]
        raise ValueError(
            f"{what} is grouped, and its active slice '{active}' holds "
            f"{slices.get(active)}; slices that hold {' or '.join(media_types)}: "
            f"{', '.join(usable) or 'none'}; select one: "
            f"{argument}.select_group_slices({usable[0] if usable else '...'!r})"
        )
    logger.info("using slice '%s' of %s", active, what)
    return samples.select_group_slices(active)


def check(samples: Any, argument: str = "samples") -> None:
    """Raises a TypeError unless a value is a FiftyOne dataset or view.

    Args:
        samples: the value of the argument
        argument ("samples"): its name
    """
    if not isinstance(samples, foc.SampleCollection):
        raise TypeError(_type_error_line(samples, argument))


def _type_error_line(samples: Any, argument: str) -> str:
    expected = f"{argument} must be a FiftyOne dataset or view, got"
    if isinstance(samples, str):
        remedy = f"fo.load_dataset({samples!r}) loads one"
        if argument == "val_samples":
            remedy += f", dataset.match_tags({samples!r}) selects a tag"
        return f"{expected} {samples!r}; {remedy}"
    line = f"{expected} a {type(samples).__name__}"
    if isinstance(samples, list | tuple | set):
        return f"{line}; dataset.select(ids) returns a view of some samples"
    return line


def stages(samples: Samples) -> list[dict[str, Any]]:
    """Returns the view stages of a collection as JSON.

    Equal views have equal stages; `view_from_stages` is the inverse.
    """
    serialized = fiftyone_private.serialize_stages(samples.view())
    return json.loads(json_util.dumps(serialized))


def view_from_stages(
    dataset: fo.Dataset, stages: list[dict[str, Any]]
) -> fo.DatasetView:
    """Returns the view of some stages; a selected group slice becomes the active one.

    Args:
        dataset: that the view belongs to
        stages: from `stages`
    """
    serialized = json_util.loads(json.dumps(stages))
    for stage in serialized:
        selected = dict(stage.get("kwargs", ())).get("slices")
        if stage["_cls"].endswith("SelectGroupSlices") and isinstance(selected, str):
            dataset.group_slice = selected  # earlier stages were applied to this slice
    return fiftyone_private.view_from_stages(dataset, serialized)


def digest(ids: Iterable[str]) -> str:
    """Returns a hash of a set of sample ids, regardless of their order."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()

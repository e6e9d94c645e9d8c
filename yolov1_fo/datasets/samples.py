"""What a caller passes as samples: its name, its slice, its view as JSON."""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.collections as foc
import fiftyone.core.media as fomm
from bson import json_util

logger = logging.getLogger(__name__)

Samples = Any
"""A FiftyOne dataset or view."""


def name(samples: Samples) -> str:
    """Returns how an error calls the collection.

    Example: dataset 'voc', or view on dataset 'voc'.
    """
    dataset = f"dataset '{samples._root_dataset.name}'"
    return dataset if samples._dataset is samples else f"a view on {dataset}"


def whole(samples: Samples, *, of_videos: bool = False) -> Samples:
    """Returns all samples that a collection is a part of, with all their fields.

    Args:
        samples: a checked collection
        of_videos (False): of a view of frames, the videos instead of all frames
    """
    root = samples._root_dataset
    if samples._is_frames and not of_videos:
        return samples.view()._base_view
    if root.media_type == fomm.GROUP:
        kind = fomm.VIDEO if of_videos else samples.media_type
        return root.select_group_slices(media_type=kind)
    return root


def is_empty(samples: Samples) -> bool:
    """Returns whether a collection has no samples.

    The length of a whole dataset is MongoDB's estimate, which is wrong, 0 even, after
    its server was killed; that of a part is counted.
    """
    return not len(samples.limit(1))


def flat(
    samples: Any,
    argument: str = "samples",
    kinds: Sequence[str] = (fomm.IMAGE,),
) -> Samples:
    """Returns a dataset or view; of a grouped one, its active slice.

    Another slice is chosen as FiftyOne has it: `dataset.group_slice = "left"`, or
    `dataset.select_group_slices("left")`.

    Args:
        samples: whatever a caller gave
        argument ("samples"): how the caller calls it
        kinds (images): of media that a slice may hold

    Raises:
        TypeError: if it is neither
        ValueError: if the active slice holds media of another kind
    """
    check(samples, argument)
    if samples.media_type != fomm.GROUP:
        return samples
    what, active = name(samples), samples.group_slice
    if samples._is_dynamic_groups:
        raise ValueError(
            f"{what} shows groups; pass their samples: {argument}.flatten()"
        )
    there = samples.group_media_types
    if there.get(active) not in kinds:
        fit = [name for name, kind in there.items() if kind in kinds]
        raise ValueError(
            f"{what} is grouped, and its active slice '{active}' holds "
            f"{there.get(active)}; slices that hold {' or '.join(kinds)}: "
            f"{', '.join(fit) or 'none'}; choose one: "
            f"{argument}.select_group_slices({fit[0] if fit else '...'!r})"
        )
    logger.info("of %s the slice '%s' is taken", what, active)
    return samples.select_group_slices(active)


def check(samples: Any, argument: str = "samples") -> None:
    """Raises a TypeError unless a caller gave a FiftyOne dataset or view.

    Args:
        samples: whatever a caller gave
        argument ("samples"): how the caller calls it
    """
    if not isinstance(samples, foc.SampleCollection):
        raise TypeError(_said(samples, argument))


def _said(samples: Any, argument: str) -> str:
    wanted = f"{argument} must be a FiftyOne dataset or view, got"
    if isinstance(samples, str):
        return f"{wanted} {samples!r}; fo.load_dataset({samples!r}) loads one"
    got = f"{wanted} a {type(samples).__name__}"
    if isinstance(samples, list | tuple | set):
        return f"{got}; dataset.select(ids) makes a view of some samples"
    return got


def stages(samples: Samples) -> list[dict[str, Any]]:
    """Returns a collection as JSON: the stages of its view.

    The same view gives the same; `view_of` makes the view again.
    """
    said = samples.view()._serialize(include_uuids=False)
    return json.loads(json_util.dumps(said))


def view_of(dataset: fo.Dataset, said: list[dict[str, Any]]) -> fo.DatasetView:
    """Returns the view that `stages` gave; of groups the slice becomes the active one.

    Args:
        dataset: that it is of
        said: from `stages`
    """
    loaded = json_util.loads(json.dumps(said))
    for stage in loaded:
        chosen = dict(stage.get("kwargs", ())).get("slices")
        if stage["_cls"].endswith("SelectGroupSlices") and isinstance(chosen, str):
            dataset.group_slice = chosen  # its earlier stages were of these samples
    return fo.DatasetView._build(dataset, loaded)


def digest(ids: Iterable[str]) -> str:
    """Returns what tells one set of samples from another, in any order."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()

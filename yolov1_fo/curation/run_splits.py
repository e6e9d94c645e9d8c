"""How the splits of a run can be chosen again: by tags, or as they were held out."""

from pathlib import Path
from typing import NamedTuple

import fiftyone as fo

from yolov1_fo.runs import records, training_labels, training_samples


class RunSplits(NamedTuple):
    """The splits of a run, with the samples that were added to them since.

    Attributes:
        is_put_aside: whether `train` put the validation split aside
        has_val: whether there is a validation split
        train_tag: of all samples of the training split, and none of the other; empty
            if there is no such tag
        val_tag: the same of the validation split
    """

    is_put_aside: bool
    has_val: bool
    train_tag: str = ""
    val_tag: str = ""


def find(dataset: fo.Dataset, run_key: str) -> RunSplits:
    """Returns how the splits of a run can be chosen again.

    Args:
        dataset: that the run belongs to
        run_key: its key
    """
    run = records.info(dataset, run_key)
    is_put_aside = bool(getattr(run, "put_aside", False))
    splits = RunSplits(is_put_aside, bool(getattr(run, "val_images", 0)))
    folder = records.folder_of(dataset, run_key)
    labels = None if folder is None else training_labels.read(Path(folder))
    if labels is None or is_put_aside or not splits.has_val:
        return splits
    tags = [
        _tags(dataset, labels.sample_ids(val=val), labels.sample_ids(val=not val))
        for val in (False, True)
    ]
    chosen = [
        name if name in some else next(iter(some), "")
        for name, some in zip(("train", "val"), tags, strict=True)
    ]
    return RunSplits(is_put_aside, True, *chosen)


def _tags(dataset: fo.Dataset, own: list[str], other: list[str]) -> list[str]:
    """Returns the tags that all samples of a split have, and none of the other."""
    existing = dataset.select(own)
    counts, count = existing.count_sample_tags(), len(existing)
    unwanted = dataset.select(other).count_sample_tags()
    return sorted(
        tag for tag, found in counts.items() if found == count and tag not in unwanted
    )


def trained_on(dataset: fo.Dataset, run_key: str, samples: fo.DatasetView) -> int:
    """Returns how many samples a run was trained on, as far as known.

    Args:
        dataset: that the run belongs to
        run_key: its key
        samples: of the dataset, such as a validation split
    """
    folder: Path | None = records.folder_of(dataset, run_key)
    ids = None if folder is None else training_samples.read(folder)
    return len((ids or set()).intersection(samples.values("id")))

"""split(samples) -> (train, val): a validation split held out by a fixed rule."""

import hashlib

import fiftyone as fo

from yolov1_fo.config import arguments
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples

MIN_SAMPLES = 10
"""With fewer images or videos, none are held out."""
RULE = "those whose file paths have the smallest SHA-256 hashes"


@connection.one_line_errors()
def split(
    samples: fo_samples.Samples, val_fraction: float = 0.1
) -> tuple[fo.DatasetView, fo.DatasetView]:
    """Splits samples into a training and a validation split; changes nothing.

    The validation split has the samples whose file paths have the smallest SHA-256
    hashes. It is therefore the same in each process and in clones, and new samples do
    not move old ones from one split to the other by more than the fraction demands.
    Frames of a video stay together.

    Args:
        samples: a FiftyOne dataset or view of images
        val_fraction (0.1): share of the validation split, more than 0, less than 1

    Returns:
        the training split and the validation split, as views

    Raises:
        ValueError: if there are fewer than two images or videos to split
    """
    arguments.check_number("val_fraction", val_fraction, 0, 1)
    samples = fo_samples.ungrouped(samples)
    ids, keys = samples.values(["id", _key_field(samples)])
    groups = sorted(set(keys), key=_hash)
    if len(groups) < 2 or not 0 < val_fraction < 1:
        raise ValueError(
            f"{fo_samples.name(samples)} can't be split: it needs at least 2 images or "
            f"videos and a val_fraction between 0 and 1, got {len(groups)} and "
            f"{val_fraction}"
        )
    count = max(round(val_fraction * len(groups)), 1)
    chosen = set(groups[: min(count, len(groups) - 1)])
    val = [one for one, key in zip(ids, keys, strict=True) if key in chosen]
    return samples.exclude(val), samples.select(val)


def folds(
    samples: fo_samples.Samples, count: int
) -> list[tuple[fo.DatasetView, fo.DatasetView]]:
    """Returns the samples split into as many parts, each with the rest.

    The parts are the same in each process and in clones. Frames of a video stay
    together, and so do samples of one file.

    Args:
        samples: a checked collection
        count: number of parts, at least 2

    Returns:
        for each part, the other samples and those of the part, as views

    Raises:
        ValueError: if there are fewer images or videos than parts
    """
    arguments.check_integer("folds", count, 2)
    ids, keys = samples.values(["id", _key_field(samples)])
    groups = sorted(set(keys), key=_hash)
    if len(groups) < count:
        raise ValueError(
            f"{fo_samples.name(samples)} can't be split into {count} folds: it has "
            f"{len(groups)} different images"
        )
    number = {key: rank % count for rank, key in enumerate(groups)}
    parts: list[list[str]] = [[] for _ in range(count)]
    for one, key in zip(ids, keys, strict=True):
        parts[number[key]].append(one)
    return [(samples.exclude(part), samples.select(part)) for part in parts]


def _key_field(samples: fo_samples.Samples) -> str:
    """Returns the field whose values stay together: a file, or the video of a frame."""
    return "sample_id" if fo_samples.is_frames_view(samples) else "filepath"


def val_count(samples: fo_samples.Samples, val_fraction: float) -> int:
    """Returns how many images or videos of a checked collection are held out.

    Of fewer than `MIN_SAMPLES`, none are.
    """
    count = len(samples)
    if fo_samples.is_frames_view(samples):
        count = len(samples.distinct(_key_field(samples)))
    if not val_fraction or count < MIN_SAMPLES:
        return 0
    return max(round(val_fraction * count), 1)


def check_disjoint(shared: int) -> None:
    """Raises a ValueError if the training and validation split have common samples.

    Args:
        shared: number of samples in both, of `shared_count`
    """
    if shared:
        samples = "1 sample is" if shared == 1 else f"{shared} samples are"
        raise ValueError(
            f"{samples} in both the training and the validation split, where the mAP "
            "would be too high; choose splits without common samples"
        )


def shared_count(samples: fo_samples.Samples, val_samples: fo_samples.Samples) -> int:
    """Returns the number of samples that are in both collections."""
    return len(set(samples.values("id")) & set(val_samples.values("id")))


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

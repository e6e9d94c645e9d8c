"""Photographs of Open Images, by class, through FiftyOne's dataset zoo."""

import logging
import re
from collections.abc import Sequence

import fiftyone as fo
import fiftyone.zoo as foz

from yolov1_fo import connection, spelling

logger = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")

KINDS = {"Person": ("Man", "Woman", "Boy", "Girl")}
"""Open Images names a thing as exactly as it can; these are persons too."""


@connection.answering()
def load_open_images(
    classes: Sequence[str] = ("Person",),
    split: str = "train",
    max_samples: int = 1000,
    seed: int = 2,
    *,
    name: str | None = None,
    persistent: bool = True,
) -> fo.Dataset:
    """Returns photographs of Open Images V7 that show some classes.

    They are fetched on first use; later the dataset is found by its name. Boxes of
    groups keep their `IsGroupOf`, so that training and VOC's evaluation ignore them.
    Men, women, boys and girls become persons if persons are asked for.

    Args:
        classes (Person): names as Open Images has them
        split (train): train, validation or test; it becomes the tag train, val or test
        max_samples (1000): at most so many photographs
        seed (2): which of them; the same seed takes the same
        name (None): of the dataset; made up of the arguments by default
        persistent (True): keeps it in the database when Python ends

    Returns:
        a dataset with Detections of `classes` in `ground_truth`

    Raises:
        ValueError: if an argument does not fit
        OSError: if Open Images can't be fetched; nothing is left then
    """
    # 1. Check.
    classes = [classes] if isinstance(classes, str) else list(classes)
    if not classes:
        raise ValueError("classes must name at least one class of Open Images")
    spelling.check_choice("split", split, SPLITS)
    if max_samples < 1:
        raise ValueError(f"max_samples must be at least 1, got {max_samples}")
    connection.check()
    name = name or _name(classes, split, max_samples, seed)
    wanted = {
        "classes": classes,
        "split": split,
        "max_samples": max_samples,
        "seed": seed,
    }

    # 2. Find or fetch.
    if fo.dataset_exists(name):
        dataset = fo.load_dataset(name)
        if dataset.info.get("open_images") != wanted:
            raise ValueError(
                f"dataset '{name}' exists, but holds something else; choose another "
                "name"
            )
        return dataset
    dataset = _fetch(name, classes, split, max_samples, seed)
    try:
        _tidy(dataset, classes, split)
        dataset.info["open_images"] = wanted
        dataset.persistent = persistent
        dataset.save()
    except BaseException:
        dataset.delete()
        raise
    return dataset


def _name(classes: Sequence[str], split: str, max_samples: int, seed: int) -> str:
    words = "-".join(["open-images", *classes, split, str(max_samples), str(seed)])
    return re.sub(r"[^a-z0-9]+", "-", words.lower())


def _fetch(
    name: str, classes: list[str], split: str, max_samples: int, seed: int
) -> fo.Dataset:
    kinds = [kind for one in classes for kind in (one, *KINDS.get(one, ()))]
    try:
        return foz.load_zoo_dataset(
            "open-images-v7",
            split=split,
            label_types=["detections"],  # else images with image-level labels come too
            classes=kinds,
            only_matching=True,
            max_samples=max_samples,
            shuffle=True,
            seed=seed,
            dataset_name=name,
        )
    except BaseException as error:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)
        if not isinstance(error, Exception):
            raise
        raise OSError(
            "Open Images can't be fetched; it needs the internet once "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error


def _tidy(dataset: fo.Dataset, classes: list[str], split: str) -> None:
    if not dataset.has_field("ground_truth"):
        dataset.rename_sample_field("detections", "ground_truth")
    names = {kind: one for one in classes for kind in KINDS.get(one, ())}
    view = dataset.map_labels("ground_truth", names) if names else dataset
    view.save("ground_truth")
    dataset.default_classes = classes
    if split == "validation":
        dataset.untag_samples("validation")
        dataset.tag_samples("val")

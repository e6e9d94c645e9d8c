"""Images of Open Images by class, downloaded with FiftyOne's dataset zoo."""

import contextlib
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import fiftyone as fo
import fiftyone.utils.openimages as foui
import fiftyone.zoo as foz
import numpy as np
import pandas as pd

from yolov1_fo.config import arguments, class_names, spelling
from yolov1_fo.datasets import connection

VERSION = "v7"
SPLITS = ("train", "validation", "test")

ROWS = 1_000_000
"""Number of boxes that are read at a time; the training split has 14 million."""
SUBCLASSES = {"Person": ("Man", "Woman", "Boy", "Girl")}
"""Open Images labels an object with its most specific class; these are persons too."""


@connection.one_line_errors()
def load_open_images(
    classes: str | Sequence[str] = ("Person",),
    split: str = "train",
    max_samples: int = 1000,
    seed: int = 2,
    *,
    name: str | None = None,
    persistent: bool = True,
) -> fo.Dataset:
    """Returns images of Open Images V7 with objects of some classes.

    They are downloaded on the first call; later calls load the dataset by its name. It
    contains all boxes of the classes, and no others. Boxes of groups keep `IsGroupOf`,
    so training and VOC's evaluation ignore them. Men, women, boys and girls are
    labeled as persons if `classes` contains Person but not their own class.

    Args:
        classes (Person): one or more class names of Open Images
        split (train): train, validation or test; samples get the tag train, val or test
        max_samples (1000): maximum number of images
        seed (2): of the random selection; it does not depend on earlier downloads
        name (None): of the dataset; derived from the arguments by default
        persistent (True): keeps it in the database when Python exits

    Returns:
        a dataset with Detections of `classes` in `ground_truth`

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if an argument is not valid, or Open Images has no such class
        OSError: if the download fails; no dataset is created then
    """
    # 1. Check.
    classes = class_names.check([classes] if isinstance(classes, str) else classes)
    spelling.check_choice("split", split, SPLITS)
    arguments.check_integer("max_samples", max_samples, 1)
    arguments.check_integer("seed", seed, 0)
    connection.check()
    name = name or _default_name(classes, split, max_samples, seed)
    wanted = {
        "classes": classes,
        "split": split,
        "max_samples": max_samples,
        "seed": seed,
    }

    # 2. Load or download.
    if fo.dataset_exists(name):
        dataset = fo.load_dataset(name)
        if dataset.info.get("open_images") != wanted:
            raise ValueError(
                f"dataset '{name}' exists, but was loaded with other arguments; choose "
                "another name"
            )
        return dataset
    _check_known(classes)
    temporary_name = f"{name}-{secrets.token_hex(4)}"  # until it is complete
    dataset = _download(temporary_name, classes, split, max_samples, seed)
    try:
        _convert(dataset, classes, split)
        dataset.info["open_images"] = wanted
        dataset.persistent = persistent
        dataset.name = name
    except BaseException as error:
        dataset.delete()
        if isinstance(error, ValueError) and fo.dataset_exists(name):
            raise ValueError(
                f"dataset '{name}' has just been created by another process; load it, "
                "or choose another name"
            ) from None
        raise
    return dataset


def _check_known(classes: list[str]) -> None:
    with _download_errors():
        known = set(foui.get_classes(version=VERSION))
    unknown = [one for one in classes if one not in known]
    if unknown:
        names = ", ".join(
            f"'{one}'{spelling.suggestion(one, known)}" for one in unknown
        )
        raise ValueError(
            f"classes: Open Images has no {names}; "
            "fiftyone.utils.openimages.get_classes() lists its names"
        )


@contextlib.contextmanager
def _download_errors() -> Iterator[None]:
    """Turns errors of a download into OSErrors of one line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, connection.ERRORS):  # samples are added meanwhile
            raise
        raise OSError(
            "Open Images can't be downloaded; check the internet connection "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error


def _default_name(
    classes: Sequence[str], split: str, max_samples: int, seed: int
) -> str:
    words = "-".join(["open-images", *classes, split, str(max_samples), str(seed)])
    return re.sub(r"[^a-z0-9]+", "-", words.lower())


def _label_map(classes: Sequence[str]) -> dict[str, str]:
    """Returns the labels of Open Images to download, with the class they become."""
    labels = {label: one for one in classes for label in SUBCLASSES.get(one, ())}
    return labels | {one: one for one in classes}


def _download(
    name: str, classes: list[str], split: str, max_samples: int, seed: int
) -> fo.Dataset:
    chosen = _choose(classes, split, max_samples, seed)
    try:
        with _download_errors():
            dataset = foz.load_zoo_dataset(
                f"open-images-{VERSION}",
                split=split,
                label_types=["detections"],
                classes=list(_label_map(classes)),
                only_matching=True,
                image_ids=chosen,
                dataset_name=name,
            )
            if len(dataset) != len(chosen):
                raise OSError(f"{len(dataset)} of {len(chosen)} images were downloaded")
    except BaseException:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)
        raise
    return dataset


def _choose(
    classes: Sequence[str], split: str, max_samples: int, seed: int
) -> list[str]:
    """Returns random ids of images with objects of a class.

    FiftyOne would prefer images that have already been downloaded.

    Raises:
        ValueError: if there are none
    """
    folder = Path(fo.config.dataset_zoo_dir) / f"open-images-{VERSION}" / split
    labels = _label_map(classes)
    with _download_errors():
        foui.download_open_images_split(  # its lists only, no images
            str(folder),
            split,
            version=VERSION,
            label_types=["detections"],
            classes=list(labels),
            image_ids=[],
        )
        found = _image_ids(folder, labels)
    if not found:
        raise ValueError(
            f"split '{split}' of Open Images has no {' or '.join(classes)}"
        )
    rows = np.random.default_rng(seed).permutation(len(found))[:max_samples]
    return [found[row] for row in rows]


def _image_ids(folder: Path, labels: Collection[str]) -> list[str]:
    """Returns the sorted ids of the images with a box of some label."""
    known = pd.read_csv(
        _existing(folder / "metadata" / "classes.csv"),
        header=None,
        names=["id", "name"],
        na_filter=False,
    )
    wanted = set(known["id"][known["name"].isin(labels)])
    found: set[str] = set()
    for rows in pd.read_csv(
        folder / "labels" / "detections.csv",
        usecols=["ImageID", "LabelName"],
        dtype=str,
        chunksize=ROWS,
    ):
        found |= set(rows["ImageID"][rows["LabelName"].isin(wanted)])
    return sorted(found)


def _existing(path: Path) -> Path:
    """Returns the path of a list; FiftyOne uses that of another split if it exists."""
    others = (
        path.parents[2] / split / "metadata" / path.name for split in ("", *SPLITS)
    )
    return next((one for one in (path, *others) if one.is_file()), path)


def _convert(dataset: fo.Dataset, classes: list[str], split: str) -> None:
    if not dataset.has_field("ground_truth"):
        dataset.rename_sample_field("detections", "ground_truth")
    changed = {label: one for label, one in _label_map(classes).items() if label != one}
    if changed:
        dataset.map_labels("ground_truth", changed).save("ground_truth")
    dataset.default_classes = classes
    if split == "validation":
        dataset.untag_samples("validation")
        dataset.tag_samples("val")

"""Photographs of Open Images, by class, through FiftyOne's dataset zoo."""

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
"""So many boxes are read at once; the training split has 14 million."""
KINDS = {"Person": ("Man", "Woman", "Boy", "Girl")}
"""Open Images names a thing as exactly as it can; these are persons too."""


@connection.answering()
def load_open_images(
    classes: str | Sequence[str] = ("Person",),
    split: str = "train",
    max_samples: int = 1000,
    seed: int = 2,
    *,
    name: str | None = None,
    persistent: bool = True,
) -> fo.Dataset:
    """Returns photographs of Open Images V7 that show some classes.

    They are fetched on first use; later the dataset is found by its name. It has all
    boxes of the classes, and no others. Boxes of groups keep their `IsGroupOf`, so that
    training and VOC's evaluation ignore them. Men, women, boys and girls become persons
    if persons are asked for, and they are not.

    Args:
        classes (Person): names as Open Images has them, one or more
        split (train): train, validation or test; it becomes the tag train, val or test
        max_samples (1000): so many photographs, or all that show the classes if these
            are fewer
        seed (2): which of them; the same seed takes the same, whatever was fetched
            before
        name (None): of the dataset; made up of the arguments by default
        persistent (True): keeps it in the database when Python ends

    Returns:
        a dataset with Detections of `classes` in `ground_truth`

    Raises:
        TypeError: if an argument is of another kind
        ValueError: if one does not fit, or Open Images has no such class
        OSError: if Open Images can't be fetched; nothing is left then
    """
    # 1. Check.
    classes = class_names.check([classes] if isinstance(classes, str) else classes)
    spelling.check_choice("split", split, SPLITS)
    arguments.check_whole("max_samples", max_samples, 1)
    arguments.check_whole("seed", seed, 0)
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
    _check_known(classes)
    made_as = f"{name}-{secrets.token_hex(4)}"  # until it is whole
    dataset = _fetch(made_as, classes, split, max_samples, seed)
    try:
        _tidy(dataset, classes, split)
        dataset.info["open_images"] = wanted
        dataset.persistent = persistent
        dataset.name = name
    except BaseException as error:
        dataset.delete()
        if isinstance(error, ValueError) and fo.dataset_exists(name):
            raise ValueError(
                f"dataset '{name}' was made by another process meanwhile; load it, or "
                "choose another name"
            ) from None
        raise
    return dataset


def _check_known(classes: list[str]) -> None:
    with _fetching():
        known = set(foui.get_classes(version=VERSION))
    unknown = [one for one in classes if one not in known]
    if unknown:
        said = ", ".join(f"'{one}'{spelling.suggestion(one, known)}" for one in unknown)
        raise ValueError(
            f"classes: Open Images has no {said}; "
            "fiftyone.utils.openimages.get_classes() lists its names"
        )


@contextlib.contextmanager
def _fetching() -> Iterator[None]:
    """Turns what the network's libraries raise into one line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, connection.ERRORS):  # it is written down meanwhile
            raise
        raise OSError(
            "Open Images can't be fetched; it needs the internet once "
            f"({type(error).__name__}: {' '.join(str(error).split())})"
        ) from error


def _name(classes: Sequence[str], split: str, max_samples: int, seed: int) -> str:
    words = "-".join(["open-images", *classes, split, str(max_samples), str(seed)])
    return re.sub(r"[^a-z0-9]+", "-", words.lower())


def _kinds(classes: Sequence[str]) -> dict[str, str]:
    """Returns Open Images' names for what is asked for, and what they become."""
    names = {kind: one for one in classes for kind in KINDS.get(one, ())}
    return names | {one: one for one in classes}


def _fetch(
    name: str, classes: list[str], split: str, max_samples: int, seed: int
) -> fo.Dataset:
    chosen = _choose(classes, split, max_samples, seed)
    try:
        with _fetching():
            dataset = foz.load_zoo_dataset(
                f"open-images-{VERSION}",
                split=split,
                label_types=["detections"],
                classes=list(_kinds(classes)),
                only_matching=True,
                image_ids=chosen,
                dataset_name=name,
            )
            if len(dataset) != len(chosen):
                raise OSError(f"{len(dataset)} of {len(chosen)} photographs came")
    except BaseException:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)
        raise
    return dataset


def _choose(
    classes: Sequence[str], split: str, max_samples: int, seed: int
) -> list[str]:
    """Returns the ids of photographs that show a class, drawn from all that do.

    FiftyOne would take those first that lie on the disk already.

    Raises:
        ValueError: if there are none
    """
    folder = Path(fo.config.dataset_zoo_dir) / f"open-images-{VERSION}" / split
    kinds = _kinds(classes)
    with _fetching():
        foui.download_open_images_split(  # its lists only, no photograph
            str(folder),
            split,
            version=VERSION,
            label_types=["detections"],
            classes=list(kinds),
            image_ids=[],
        )
        found = _showing(folder, kinds)
    if not found:
        raise ValueError(
            f"split '{split}' of Open Images shows no {' or '.join(classes)}"
        )
    rows = np.random.default_rng(seed).permutation(len(found))[:max_samples]
    return [found[row] for row in rows]


def _showing(folder: Path, kinds: Collection[str]) -> list[str]:
    """Returns the ids of the photographs with a box of some kind, sorted."""
    known = pd.read_csv(
        _there(folder / "metadata" / "classes.csv"),
        header=None,
        names=["id", "name"],
        na_filter=False,
    )
    wanted = set(known["id"][known["name"].isin(kinds)])
    found: set[str] = set()
    for rows in pd.read_csv(
        folder / "labels" / "detections.csv",
        usecols=["ImageID", "LabelName"],
        dtype=str,
        chunksize=ROWS,
    ):
        found |= set(rows["ImageID"][rows["LabelName"].isin(wanted)])
    return sorted(found)


def _there(path: Path) -> Path:
    """Returns where a list stands; FiftyOne takes that of another split if it can."""
    others = (
        path.parents[2] / split / "metadata" / path.name for split in ("", *SPLITS)
    )
    return next((one for one in (path, *others) if one.is_file()), path)


def _tidy(dataset: fo.Dataset, classes: list[str], split: str) -> None:
    if not dataset.has_field("ground_truth"):
        dataset.rename_sample_field("detections", "ground_truth")
    names = {kind: one for kind, one in _kinds(classes).items() if kind != one}
    if names:
        dataset.map_labels("ground_truth", names).save("ground_truth")
    dataset.default_classes = classes
    if split == "validation":
        dataset.untag_samples("validation")
        dataset.tag_samples("val")

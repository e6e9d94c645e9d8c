"""Options that choose the dataset, view, tag and field of a command."""

import argparse
from typing import Any

MAX_NAMES = 20
"""Number of names that an error message lists."""


def add_collection(parser: argparse.ArgumentParser, *, tags: bool = True) -> None:
    """Adds the options for dataset, saved view and tag."""
    parser.add_argument("dataset", metavar="DATASET", help="name of a FiftyOne dataset")
    parser.add_argument(
        "--view", metavar="NAME", help="saved view to use instead of all samples"
    )
    if tags:
        parser.add_argument(
            "--tag", metavar="TAG", help="use only samples with this tag, such as val"
        )


def add_gt_field(parser: argparse.ArgumentParser) -> None:
    """Adds the option for the ground truth field."""
    parser.add_argument(
        "--gt-field",
        metavar="FIELD",
        default="ground_truth",
        help="ground truth field of Detections (%(default)s)",
    )


def add_media_field(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds the option for the field with the image files.

    Args:
        parser: of a command
        default: what is used without it
    """
    parser.add_argument(
        "--media-field",
        metavar="FIELD",
        help=f"field with the image files, as paths or URLs ({default})",
    )


def collection(arguments: argparse.Namespace, tag: str | None = None) -> Any:
    """Returns the chosen samples.

    Args:
        arguments: parsed arguments with the options of `add_collection`
        tag (None): return only samples with this tag

    Raises:
        ValueError: if the dataset or view does not exist, or no sample has the tag
    """
    from yolov1_fo.config import spelling

    samples = dataset = load_dataset(arguments.dataset)
    if arguments.view is not None:
        if not dataset.has_saved_view(arguments.view):
            names = dataset.list_saved_views()
            raise ValueError(
                f"view '{arguments.view}' is not on dataset '{dataset.name}'"
                f"{spelling.suggestion(arguments.view, names)}; saved views: "
                f"{_join(names)}"
            )
        samples = dataset.load_saved_view(arguments.view)
    return samples if tag is None else tagged(samples, tag)


def tagged(samples: Any, tag: str) -> Any:
    """Returns the samples with a tag.

    Raises:
        ValueError: if there are none
    """
    from yolov1_fo.config import spelling
    from yolov1_fo.datasets import samples as fo_samples

    found = samples.match_tags(tag)
    if not len(found):
        names = samples.distinct("tags")
        raise ValueError(
            f"no sample of {fo_samples.name(samples)} has tag '{tag}'"
            f"{spelling.suggestion(tag, names)}; tags: {_join(names)}; see --help for "
            "other ways to choose samples"
        )
    return found


def load_dataset(name: str) -> Any:
    """Returns a FiftyOne dataset.

    Raises:
        ValueError: if it does not exist
    """
    import fiftyone as fo

    from yolov1_fo.config import spelling
    from yolov1_fo.datasets import connection

    connection.check()
    if not fo.dataset_exists(name):
        names = fo.list_datasets()
        raise ValueError(
            f"dataset '{name}' does not exist{spelling.suggestion(name, names)}; "
            f"existing datasets: {_join(names)}"
        )
    return fo.load_dataset(name)


def _join(names: list[str]) -> str:
    """Returns the first names, joined by commas."""
    more = len(names) - MAX_NAMES
    return (
        ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
        or "none"
    )

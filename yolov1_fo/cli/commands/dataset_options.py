"""The dataset, view and fields that commands work on."""

import argparse
from typing import Any

SAID = 20
"""So many names are told of those that there are."""


def add_collection(parser: argparse.ArgumentParser, *, tags: bool = True) -> None:
    """Adds the dataset, a saved view of it, and a tag."""
    parser.add_argument("dataset", metavar="DATASET", help="name of a FiftyOne dataset")
    parser.add_argument(
        "--view", metavar="NAME", help="a saved view of it, in place of all samples"
    )
    if tags:
        parser.add_argument(
            "--tag", metavar="TAG", help="only samples with this tag, such as val"
        )


def add_gt_field(parser: argparse.ArgumentParser) -> None:
    """Adds the field of the truth."""
    parser.add_argument(
        "--gt-field",
        metavar="FIELD",
        default="ground_truth",
        help="field of Detections that is the truth (%(default)s)",
    )


def collection(arguments: argparse.Namespace, tag: str | None = None) -> Any:
    """Returns the samples that a command names.

    Args:
        arguments: with what `add_collection` added
        tag (None): that they must have

    Raises:
        ValueError: if there is no such dataset, view or sample
    """
    import fiftyone as fo

    from yolov1_fo.config import spelling
    from yolov1_fo.datasets import connection
    from yolov1_fo.datasets import samples as fo_samples

    connection.check()
    if not fo.dataset_exists(arguments.dataset):
        known = fo.list_datasets()
        raise ValueError(
            f"dataset '{arguments.dataset}' does not exist"
            f"{spelling.suggestion(arguments.dataset, known)}; there are: "
            f"{_said(known)}"
        )
    samples = dataset = fo.load_dataset(arguments.dataset)
    if arguments.view is not None:
        if not dataset.has_saved_view(arguments.view):
            known = dataset.list_saved_views()
            raise ValueError(
                f"view '{arguments.view}' is not on dataset '{dataset.name}'"
                f"{spelling.suggestion(arguments.view, known)}; saved views: "
                f"{_said(known)}"
            )
        samples = dataset.load_saved_view(arguments.view)
    if tag is None:
        return samples
    tagged = samples.match_tags(tag)
    if not len(tagged):
        known = samples.distinct("tags")
        raise ValueError(
            f"no sample of {fo_samples.name(samples)} has tag '{tag}'"
            f"{spelling.suggestion(tag, known)}; tags: {_said(known)}; see --help for "
            "other ways to choose"
        )
    return tagged


def _said(names: list[str]) -> str:
    """Returns names in a line that stays short."""
    more = f" and {len(names) - SAID} more" if len(names) > SAID else ""
    return ", ".join(names[:SAID]) + more or "none"

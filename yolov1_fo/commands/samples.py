"""The dataset, view and fields that commands work on."""

import argparse
from typing import Any


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

    from yolov1_fo import samples as fo_samples

    fo_samples.check_database()
    if not fo.dataset_exists(arguments.dataset):
        has = ", ".join(fo.list_datasets()) or "none"
        raise ValueError(
            f"dataset '{arguments.dataset}' does not exist; there are: {has}"
        )
    samples = dataset = fo.load_dataset(arguments.dataset)
    if arguments.view is not None:
        if not dataset.has_saved_view(arguments.view):
            has = ", ".join(dataset.list_saved_views()) or "none"
            raise ValueError(
                f"view '{arguments.view}' is not on dataset '{dataset.name}'; "
                f"saved views: {has}"
            )
        samples = dataset.load_saved_view(arguments.view)
    if tag is None:
        return samples
    tagged = samples.match_tags(tag)
    if not len(tagged):
        has = ", ".join(samples.distinct("tags")) or "none"
        raise ValueError(
            f"no sample of {fo_samples.name(samples)} has tag '{tag}'; tags: {has}; "
            "see --help for other ways to choose"
        )
    return tagged

"""yolov1-fo inspect: what a training will lose."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.dataset_options import (
    add_collection,
    add_gt_field,
    collection,
)
from yolov1_fo.config import TrainConfig


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "inspect",
        _run,
        "Tell what a training will lose. Nothing is written unless it is asked for.",
        example="yolov1-fo inspect my-dataset --S 14",
    )
    add_collection(parser)
    add_gt_field(parser)
    for name, default, text in (
        ("S", TrainConfig.S, "cells a side"),
        ("image_size", TrainConfig.image_size, "of the network's input, in pixels"),
    ):
        parser.add_argument(
            f"--{name}",
            type=int,
            metavar="N",
            default=default,
            help=f"{text} (%(default)s)",
        )
    parser.add_argument(
        "--files-only", action="store_true", help="look at the files, not at the boxes"
    )
    parser.add_argument(
        "--decode",
        action="store_true",
        help="decode every file, to find damage in the middle too",
    )
    parser.add_argument(
        "--tag-findings",
        action="store_true",
        help="tag the samples of each finding, as inspect:lost",
    )
    parser.add_argument(
        "--save-views",
        action="store_true",
        help="save the samples of each finding as a view of that name",
    )


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    report = yolov1_fo.inspect(
        collection(arguments, arguments.tag),
        None if arguments.files_only else arguments.gt_field,
        S=arguments.S,
        image_size=arguments.image_size,
        decode=arguments.decode,
    )
    print(report)
    if arguments.tag_findings:
        print(f"tags: {', '.join(report.tag()) or 'none'}")
    if arguments.save_views:
        print(f"views: {', '.join(report.save_views()) or 'none'}")
    return 0

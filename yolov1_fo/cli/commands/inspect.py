"""yolov1-fo inspect: check a dataset before training."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import (
    add_collection,
    add_gt_field,
    add_media_field,
    collection,
)
from yolov1_fo.config import TrainConfig


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "inspect",
        _run,
        "Check a dataset for problems before training. Nothing is written by default.",
        example="yolov1-fo inspect my-dataset --S 14",
    )
    add_collection(parser)
    add_gt_field(parser)
    add_media_field(parser, "filepath")
    for name, default, text in (
        ("S", TrainConfig.S, "grid cells per side"),
        ("image_size", TrainConfig.image_size, "side of the square input, in pixels"),
    ):
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=int,
            metavar="N",
            default=default,
            help=f"{text} (%(default)s)",
        )
    parser.add_argument(
        "--files-only", action="store_true", help="check files only, not boxes"
    )
    parser.add_argument(
        "--decode",
        action="store_true",
        help="decode every file, to also find damage within files",
    )
    parser.add_argument(
        "--tag-findings",
        action="store_true",
        help="tag the samples of each finding, such as inspect:lost",
    )
    parser.add_argument(
        "--save-views",
        action="store_true",
        help="save a view with the samples of each finding",
    )


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    report = yolov1_fo.inspect(
        collection(arguments, arguments.tag),
        None if arguments.files_only else arguments.gt_field,
        S=arguments.S,
        image_size=arguments.image_size,
        decode=arguments.decode,
        media_field=arguments.media_field or "filepath",
    )
    print(report)
    if arguments.tag_findings:
        print(f"tags: {', '.join(report.tag()) or 'none'}")
    if arguments.save_views:
        print(f"views: {', '.join(report.save_views()) or 'none'}")
    return 0

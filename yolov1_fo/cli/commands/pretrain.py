"""yolov1-fo pretrain: train a classifier whose layers a detector starts from."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.training_options import add_training_options, run_training
from yolov1_fo.config import PRETRAIN_IMAGE_SIZE


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "pretrain",
        _run,
        "Train the first convolutions as a classifier. Start a detector from them with "
        "train --weights KEY.",
        example="yolov1-fo pretrain my-dataset --label-field scene "
        "--network fast-yolov1 --batch-norm --run-key classifier",
    )
    parser.usage = "yolov1-fo pretrain DATASET [options] [settings]"
    add_training_options(parser, _add_label_field, image_size=PRETRAIN_IMAGE_SIZE)


def _add_label_field(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--label-field",
        metavar="FIELD",
        default="ground_truth",
        help="field of Classification or Classifications (%(default)s)",
    )


def _run(arguments: argparse.Namespace) -> int:
    return run_training(arguments, "pretrain", label_field=arguments.label_field)

"""yolov1-fo train: train a network."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.learning import add_learning, learn
from yolov1_fo.cli.commands.samples import add_gt_field


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "train",
        _run,
        "Train a network on a dataset. Nothing is exported; the run stands on the "
        "dataset.",
        example="yolov1-fo train my-dataset --network yolov1-efficientnet-lite0 "
        "--side 320 --S 20 \\\n      --epochs 30 --batch-size 8 --batch-norm "
        "--optimizer adam --learning-rate 1e-3 --schedule cosine",
    )
    parser.usage = "yolov1-fo train DATASET [options] [settings]"
    add_learning(parser, add_gt_field)
    parser.add_argument(
        "--trunk",
        metavar="SOURCE",
        help="start from a classifier: a run of pretrain, or Darknet's .weights",
    )


def _run(arguments: argparse.Namespace) -> int:
    field, trunk = arguments.gt_field, arguments.trunk
    return learn(arguments, "train", gt_field=field, trunk=trunk)

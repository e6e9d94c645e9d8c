"""yolov1-fo train: train a network."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.dataset_options import add_gt_field
from yolov1_fo.cli.commands.training_options import add_learning, learn


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "train",
        _run,
        "Train a network on a dataset. Nothing is exported; the run stands on the "
        "dataset.",
        example="yolov1-fo train my-dataset --network yolov1-efficientnet-lite0 "
        "--image-size 320 --S 20 \\\n      --epochs 30 --batch-size 8 --batch-norm "
        "--optimizer adam --learning-rate 1e-3 --schedule cosine",
    )
    parser.usage = "yolov1-fo train DATASET [options] [settings]"
    add_learning(parser, add_gt_field)
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help="start from a classifier: a run of pretrain, or Darknet's .weights",
    )


def _run(arguments: argparse.Namespace) -> int:
    field, weights = arguments.gt_field, arguments.weights
    return learn(arguments, "train", gt_field=field, weights=weights)

"""yolov1-fo train: train a detector."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import add_gt_field
from yolov1_fo.cli.commands.training_options import add_training_options, run_training


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "train",
        _run,
        "Train a detector on a FiftyOne dataset. The run is stored on the dataset.",
        example="yolov1-fo train my-dataset --max-minutes 20",
    )
    parser.usage = "yolov1-fo train DATASET [options] [settings]"
    add_training_options(parser, add_gt_field)
    parser.add_argument(
        "--weights",
        metavar="SOURCE",
        help="start from these weights: run key or folder of train or pretrain, "
        "checkpoint folder, name of a published or included model, or Darknet "
        ".weights file",
    )
    parser.add_argument(
        "--ray-workers",
        type=int,
        metavar="INT",
        help="train on this many workers of a Ray cluster, which share each batch; "
        "0 is one per GPU or machine",
    )


def _run(arguments: argparse.Namespace) -> int:
    more = {"gt_field": arguments.gt_field, "weights": arguments.weights}
    if arguments.ray_workers is None:
        return run_training(arguments, "train", **more)
    for name in ("device", "devices"):
        if getattr(arguments, name) is not None:
            raise ValueError(
                f"--{name} can't be combined with --ray-workers: Ray chooses the "
                "device of each worker"
            )
    more["ray_workers"] = arguments.ray_workers
    return run_training(arguments, "train_on_ray", **more)

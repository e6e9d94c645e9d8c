"""What the commands share that train something."""

import argparse
from collections.abc import Callable
from typing import Any

from yolov1_fo.architectures import NETWORKS
from yolov1_fo.cli.commands.dataset_options import add_collection, collection
from yolov1_fo.cli.commands.setting_options import add_setting
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks.loading import load_tensorflow

FIRST = (
    *("network", "image_size", "S", "B", "epochs", "batch_size", "optimizer"),
    *("learning_rate", "schedule", "rate_steps", "warmup_epochs", "batch_norm"),
)
"""Settings that a person decides first."""


def add_learning(
    parser: argparse.ArgumentParser,
    add_field: Callable[[argparse.ArgumentParser], None],
    **defaults: Any,
) -> None:
    """Adds samples, splits, run and settings.

    Args:
        parser: of a command
        add_field: adds the field to learn from
        **defaults: of settings, where the command has its own
    """
    add_collection(parser, tags=False)
    add_field(parser)
    parser.add_argument(
        "--train-tag",
        metavar="TAG",
        default="train",
        help="samples to learn from (%(default)s)",
    )
    parser.add_argument(
        "--val-tag",
        metavar="TAG",
        default="val",
        help="samples to measure on (%(default)s)",
    )
    parser.add_argument(
        "--all", action="store_true", help="learn from all samples, whatever their tags"
    )
    parser.add_argument("--no-val", action="store_true", help="learn without measuring")
    parser.add_argument("--run-key", metavar="KEY", help="name of the run")
    parser.add_argument(
        "--resume", metavar="KEY", help="go on with a run, as if it had never stopped"
    )
    parser.add_argument(
        "--classes", nargs="+", metavar="NAME", help="in the order of their ids"
    )
    parser.add_argument(
        "--devices",
        type=int,
        metavar="INT",
        help="accelerators that share each batch (one)",
    )
    settings = parser.add_argument_group("settings", "the defaults are the paper's")
    said = TrainConfig.describe()
    said["network"] = f"one of {', '.join(NETWORKS)}"
    for name in (*FIRST, *(name for name in said if name not in (*FIRST, "C"))):
        add_setting(settings, name, said[name], defaults.get(name))


def learn(arguments: argparse.Namespace, function: str, **more: Any) -> int:
    """Trains, and says what came of it; returns the exit code.

    Args:
        arguments: with what `add_learning` added
        function: public name of what trains
        **more: that it is told beside samples, run and settings
    """
    import yolov1_fo

    given = vars(arguments)
    settings = {name: given[name] for name in TrainConfig.names() if name in given}
    train = collection(arguments, None if arguments.all else arguments.train_tag)
    val = None if arguments.no_val else collection(arguments, arguments.val_tag)
    load_tensorflow()
    result = getattr(yolov1_fo, function)(
        train,
        val_samples=val,
        run_key=arguments.run_key,
        resume=arguments.resume,
        classes=arguments.classes,
        devices=arguments.devices,
        **more,
        **settings,
    )
    print(result)
    return 0

"""Options shared by the commands that train."""

import argparse
from collections.abc import Callable
from typing import Any

from yolov1_fo.architectures import NETWORKS
from yolov1_fo.cli.commands.dataset_options import add_collection, collection
from yolov1_fo.cli.commands.setting_options import add_setting
from yolov1_fo.config import TrainConfig, recipes
from yolov1_fo.networks.tensorflow_startup import load_tensorflow

FIRST = (
    *(
        "network",
        "recipe",
        "max_minutes",
        "image_size",
        "S",
        "B",
        "epochs",
        "batch_size",
        "optimizer",
    ),
    *("learning_rate", "schedule", "rate_steps", "warmup_epochs", "batch_norm"),
)
"""Settings listed first."""


def add_training_options(
    parser: argparse.ArgumentParser,
    add_field: Callable[[argparse.ArgumentParser], None],
    **defaults: Any,
) -> None:
    """Adds the options for samples, split, run and settings.

    Args:
        parser: a command's parser
        add_field: adds the option for the ground truth field
        **defaults: defaults of settings that differ from `TrainConfig`
    """
    add_collection(parser, tags=False)
    add_field(parser)
    _add_split_options(parser)
    parser.add_argument("--run-key", metavar="KEY", help="name of the run")
    parser.add_argument(
        "--resume", metavar="KEY", help="resume this run where it stopped"
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="NAME",
        help="class names, in the order of their ids",
    )
    parser.add_argument(
        "--device", metavar="DEVICE", help="number of a GPU, or cpu (the first GPU)"
    )
    parser.add_argument(
        "--devices",
        type=int,
        metavar="INT",
        help="number of accelerators that share each batch (1)",
    )
    settings = parser.add_argument_group(
        "settings",
        "those without a default come from the network's recipe: yolov1-fo recipe",
    )
    in_recipes = {name for one in recipes.RECIPES.values() for name in one}
    descriptions = TrainConfig.describe()
    descriptions["network"] = f"one of {', '.join(NETWORKS)}"
    others = (name for name in descriptions if name not in (*FIRST, "C"))
    for name in (*FIRST, *others):
        add_setting(
            *(settings, name, descriptions[name], defaults.get(name)),
            in_recipes=name in {*in_recipes, "network", "recipe"} - {*defaults},
        )


def _add_split_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--train-tag",
        metavar="TAG",
        help="tag of the training split (train, if samples have it, else all samples)",
    )
    parser.add_argument(
        "--val-tag",
        metavar="TAG",
        help="tag of the validation split (val, if samples have it, else a tenth of "
        "the training split is held out)",
    )
    parser.add_argument(
        "--all", action="store_true", help="train on all samples, regardless of tags"
    )
    parser.add_argument(
        "--no-val", action="store_true", help="train without validation"
    )


def _splits(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Returns the training split, and the validation split if one is tagged."""
    tags = set(collection(arguments).distinct("tags"))
    train_tag, val_tag = arguments.train_tag, arguments.val_tag
    if train_tag is None and "train" in tags:
        train_tag = "train"
    is_rest = False  # whether all but the validation split is trained on
    if (
        val_tag is None
        and "val" in tags
        and (train_tag is not None or not arguments.all)
    ):
        val_tag, is_rest = "val", train_tag is None
    train = collection(arguments, None if arguments.all else train_tag)
    if is_rest:
        train = train.match_tags("val", bool=False)
    is_validated = val_tag is not None and not arguments.no_val
    return train, collection(arguments, val_tag) if is_validated else None


def run_training(arguments: argparse.Namespace, function: str, **more: Any) -> int:
    """Trains and prints the result; returns the exit code.

    Args:
        arguments: parsed arguments with the options of `add_training_options`
        function: name of the public function that trains
        **more: other arguments of that function
    """
    import yolov1_fo

    given = vars(arguments)
    settings = {name: given[name] for name in TrainConfig.names() if name in given}
    train, val = _splits(arguments)
    if arguments.no_val and not arguments.resume:
        settings["val_fraction"] = 0.0
    for name in ("device", "devices"):
        if given[name] is not None:
            settings[name] = given[name]
    if function != "train_on_ray":  # whose workers use JAX
        load_tensorflow()
    result = getattr(yolov1_fo, function)(
        train,
        val_samples=val,
        run_key=arguments.run_key,
        resume=arguments.resume,
        classes=arguments.classes,
        **more,
        **settings,
    )
    print(result.summary(result.next_shell_command))
    return 0

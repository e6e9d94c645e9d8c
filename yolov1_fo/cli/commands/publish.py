"""yolov1-fo publish: the local model zoo, in and out."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.dataset_options import collection


def add(commands: Any) -> None:
    """Adds the commands `publish` and `unpublish`."""
    _add_publish(commands)
    _add_unpublish(commands)


def _add_publish(commands: Any) -> None:
    parser = command(
        commands,
        "publish",
        _publish,
        "Put a trained model into the local model zoo. foz.load_zoo_model(NAME) then "
        "finds it anywhere.",
        example="yolov1-fo publish my_run vehicles --dataset my-dataset",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="a checkpoint's folder, a run's folder or key"
    )
    parser.add_argument("name", metavar="NAME", help="in the zoo")
    parser.add_argument(
        "--dataset", metavar="DATASET", help="that a run's key belongs to"
    )


def _publish(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    dataset = None
    if arguments.dataset is not None:
        arguments.view = None
        dataset = collection(arguments)
    folder = yolov1_fo.publish(arguments.source, arguments.name, dataset)
    print(f"published '{arguments.name}'; its card is {folder / 'README.md'}")
    return 0


def _add_unpublish(commands: Any) -> None:
    parser = command(
        commands,
        "unpublish",
        _unpublish,
        "Remove a published model from the local model zoo. The run stays.",
    )
    parser.add_argument("name", metavar="NAME", help="in the zoo")


def _unpublish(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    yolov1_fo.unpublish(arguments.name)
    print(f"'{arguments.name}' is gone from the zoo")
    return 0

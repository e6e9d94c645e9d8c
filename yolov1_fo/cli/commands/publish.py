"""yolov1-fo publish and unpublish: models in the local model zoo."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import load_dataset


def add(commands: Any) -> None:
    """Adds the commands `publish` and `unpublish`."""
    _add_publish(commands)
    _add_unpublish(commands)


def _add_publish(commands: Any) -> None:
    parser = add_command(
        commands,
        "publish",
        _publish,
        "Publish a trained model to the local model zoo. Load it with "
        "foz.load_zoo_model(NAME).",
        example="yolov1-fo publish my_run vehicles --dataset my-dataset",
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="checkpoint folder, or folder or key of a run"
    )
    parser.add_argument("name", metavar="NAME", help="name of the model in the zoo")
    parser.add_argument("--dataset", metavar="DATASET", help="dataset of the run")
    parser.add_argument("--author", default="Unknown", help="author of the model")
    parser.add_argument(
        "--license", default="Not specified", help="license of the model"
    )
    parser.add_argument(
        "--data-url", metavar="URL", help="address of the training data"
    )


def _publish(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    name = arguments.dataset
    dataset = None if name is None else load_dataset(name)
    folder = yolov1_fo.publish(
        *(arguments.source, arguments.name, dataset),
        author=arguments.author,
        license=arguments.license,
        data_url=arguments.data_url,
    )
    print(f"published '{arguments.name}'; model card: {folder / 'README.md'}")
    return 0


def _add_unpublish(commands: Any) -> None:
    parser = add_command(
        commands,
        "unpublish",
        _unpublish,
        "Remove a published model from the local model zoo. The run is kept.",
    )
    parser.add_argument("name", metavar="NAME", help="name of the model in the zoo")


def _unpublish(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    yolov1_fo.unpublish(arguments.name)
    print(f"removed '{arguments.name}' from the zoo")
    return 0

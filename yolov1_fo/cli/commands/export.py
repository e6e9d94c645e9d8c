"""yolov1-fo export: a model as a file for other programs."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.cli.commands.dataset_options import collection
from yolov1_fo.networks.loading import load_tensorflow


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "export",
        _run,
        "Write a model as SavedModel, ONNX or LiteRT. What serves it reads its card, "
        "PATH.json.",
        example="yolov1-fo export my_run --dataset my-dataset --format onnx "
        "--to yolov1.onnx",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a checkpoint's folder, a run's folder or key, or a model of the zoo",
    )
    parser.add_argument(
        "--dataset", metavar="DATASET", help="that a run's key belongs to"
    )
    parser.add_argument(
        "--format", metavar="NAME", required=True, help="saved_model, onnx or litert"
    )
    parser.add_argument(
        "--to", metavar="PATH", required=True, help="the new file; must not exist"
    )


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    dataset = None
    if arguments.dataset is not None:
        arguments.view = None
        dataset = collection(arguments)
    load_tensorflow()
    path = yolov1_fo.export(
        arguments.source, arguments.to, arguments.format, dataset=dataset
    )
    print(f"wrote '{path}' and '{path}.json'")
    return 0

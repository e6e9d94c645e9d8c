"""yolov1-fo demo: train, apply and evaluate on generated data."""

import argparse
from pathlib import Path
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.networks.tensorflow_startup import load_tensorflow


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "demo",
        _run,
        "Train, apply and evaluate on generated data, in minutes. Writes a table of "
        "results and a picture of predictions.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("demo_output"),
        help="folder for the table and the picture (%(default)s)",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="passes over the training images"
    )
    parser.add_argument(
        "--max-minutes", type=float, metavar="X", help="time limit of the training"
    )


def _run(arguments: argparse.Namespace) -> int:
    load_tensorflow()
    from yolov1_fo.cli import demo

    given = {"epochs": arguments.epochs, "max_minutes": arguments.max_minutes}
    settings = {name: value for name, value in given.items() if value is not None}
    demo.run(arguments.output, lambda line: print(line, flush=True), **settings)
    return 0

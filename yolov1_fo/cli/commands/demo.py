"""yolov1-fo demo: the main job on embedded data."""

import argparse
from pathlib import Path
from typing import Any

from yolov1_fo.cli.commands import command
from yolov1_fo.networks.loading import load_tensorflow


def add(commands: Any) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "demo",
        _run,
        "Do the main job on embedded data, in minutes. Makes the quickstart data, "
        "trains on it,\napplies the model, evaluates it, and writes a table and a "
        "picture.",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        default=Path("demo_output"),
        help="for the table and the picture (%(default)s)",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="passes over the images"
    )


def _run(arguments: argparse.Namespace) -> int:
    load_tensorflow()
    from yolov1_fo.cli import demo

    settings = {} if arguments.epochs is None else {"epochs": arguments.epochs}
    demo.run(arguments.output, lambda line: print(line, flush=True), **settings)
    print("App      fiftyone app launch yolov1-quickstart")
    return 0

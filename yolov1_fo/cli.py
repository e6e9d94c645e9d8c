"""The command line, `yolov1-fo`."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from yolov1_fo import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv (None): instead of the process's arguments

    Returns:
        0, or 2 for a user's mistake, which is said in one line
    """
    arguments = _parser().parse_args(argv)
    _quieten()
    try:
        return arguments.run(arguments)
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"yolov1-fo: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "yolov1-fo", description="YOLOv1 for FiftyOne: train, apply, evaluate."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="the main job on the embedded data, in minutes",
        description="Makes the quickstart data, trains on it, applies the model, "
        "evaluates it, and writes a table and a picture.",
    )
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("demo_output"),
        help="folder for the table and the picture (%(default)s)",
    )
    demo.add_argument("--epochs", type=int, help="passes over the images")
    demo.set_defaults(run=_demo)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    yolov1_fo.train  # noqa: B018  # says what to install if TensorFlow is missing
    from yolov1_fo import demo

    settings = {} if arguments.epochs is None else {"epochs": arguments.epochs}
    demo.run(arguments.output, lambda line: print(line, flush=True), **settings)
    print("App      fiftyone app launch yolov1-quickstart")
    return 0


def _quieten() -> None:
    """Shows our own progress; hides what TensorFlow says of its build."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logger = logging.getLogger("yolov1_fo")
    logger.setLevel(logging.INFO)
    logger.handlers = [logging.StreamHandler(sys.stdout)]

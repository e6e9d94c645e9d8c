"""yolov1-fo register: our models and evaluation for all processes."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "register",
        _run,
        "Add our models and the evaluation method 'voc' to FiftyOne's configuration. "
        "Then every process finds them by name: foz.load_zoo_model(NAME) and "
        "evaluate_detections(..., method='voc').",
        example="yolov1-fo register",
    )
    parser.add_argument("--undo", action="store_true", help="remove them again")


def _run(arguments: argparse.Namespace) -> int:
    import yolov1_fo
    from yolov1_fo.publishing import registering

    if arguments.undo:
        registering.unregister()
        print("removed the models of yolov1-fo and the evaluation method 'voc'")
        return 0
    yolov1_fo.register(persistent=True)
    print("registered the models of yolov1-fo and the evaluation method 'voc'")
    return 0

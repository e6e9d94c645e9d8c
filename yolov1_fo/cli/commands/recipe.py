"""yolov1-fo recipe: show the settings of a network, with the reason for each."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.config import TrainConfig, recipes


def add(commands: Any) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "recipe",
        _run,
        "Show the settings that a network is trained with. Each has its reason; those "
        "marked auto are chosen for the images and the machine.",
        example="yolov1-fo recipe fast-yolov1 --recipe paper",
    )
    parser.add_argument(
        "network",
        nargs="?",
        metavar="NETWORK",
        default=recipes.DEFAULT_NETWORK,
        help="name of a network (%(default)s)",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"one of {', '.join(recipes.RECIPES)} (the network's own)",
    )


def _run(arguments: argparse.Namespace) -> int:
    print(TrainConfig.for_network(arguments.network, arguments.recipe))
    return 0

"""yolov1-fo install-plugin: YOLOv1 in the App, in and out."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import command


def add(commands: Any) -> None:
    """Adds the commands `install-plugin` and `uninstall-plugin`."""
    parser = command(
        commands,
        "install-plugin",
        _install,
        "Put the plugin where the App finds it. It is a link, which changes with the "
        "package; where links can't be made, a copy.",
    )
    parser.add_argument("--copy", action="store_true", help="a copy in any case")
    command(
        commands,
        "uninstall-plugin",
        _uninstall,
        "Take the plugin out of the App. The package and all runs stay.",
    )


def _install(arguments: argparse.Namespace) -> int:
    from yolov1_fo.cli import plugin_links

    made = plugin_links.install(copy=arguments.copy)
    print(f"installed {made} of '{made.source}'; reload the App to see it")
    return 0


def _uninstall(arguments: argparse.Namespace) -> int:
    from yolov1_fo.cli import plugin_links

    print(f"removed {plugin_links.uninstall()}")
    return 0

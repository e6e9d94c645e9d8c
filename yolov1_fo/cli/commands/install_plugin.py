"""yolov1-fo install-plugin and uninstall-plugin."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command


def add(commands: Any) -> None:
    """Adds the commands `install-plugin` and `uninstall-plugin`."""
    parser = add_command(
        commands,
        "install-plugin",
        _install,
        "Install the plugin for the FiftyOne App. It is linked, so that it is updated "
        "with the package, or copied where links can't be created.",
    )
    parser.add_argument("--copy", action="store_true", help="copy instead of linking")
    add_command(
        commands,
        "uninstall-plugin",
        _uninstall,
        "Remove the plugin from the FiftyOne App. The package and all runs are kept.",
    )


def _install(arguments: argparse.Namespace) -> int:
    from yolov1_fo.cli import plugin_links

    plugin = plugin_links.install(copy=arguments.copy)
    print(f"installed {plugin} of '{plugin.source}'; reload the App to see it")
    return 0


def _uninstall(arguments: argparse.Namespace) -> int:
    from yolov1_fo.cli import plugin_links

    print(f"removed {plugin_links.uninstall()}")
    return 0

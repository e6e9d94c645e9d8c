"""The commands of `yolov1-fo`, one a file; each has a parser and calls the library."""

import argparse
from typing import Any

MISTAKE, BUG, INTERRUPTED, TERMINATED = 2, 70, 130, 143
"""Exit codes."""


def command(
    commands: Any, name: str, run: Any, text: str, *, example: str = ""
) -> argparse.ArgumentParser:
    """Returns the parser of a new command.

    Args:
        commands: argparse's subparsers
        name: of the command
        run: is called with the arguments; returns the exit code
        text: what it does; its first sentence stands in the list of commands
        example: how it is called
    """
    first = text.split(". ")[0]
    parser = commands.add_parser(
        name,
        help=first[0].lower() + first[1:].rstrip("."),
        description=text,
        epilog=example and f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser

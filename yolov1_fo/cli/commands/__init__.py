"""The commands of `yolov1-fo`, one per file: each adds a parser, and runs."""

import argparse
import textwrap
from typing import Any

ERROR, BUG, INTERRUPTED, TERMINATED = 2, 70, 130, 143
"""Exit codes."""
WIDTH = 80
"""Width of a description in `--help`."""


def add_command(
    commands: Any, name: str, run: Any, text: str, *, example: str = ""
) -> argparse.ArgumentParser:
    """Adds a command; returns its parser.

    Args:
        commands: argparse's subparsers
        name: the command's name
        run: function of the parsed arguments that returns the exit code
        text: description; its first sentence is shown in the list of commands
        example: an example of its use
    """
    first = text.split(". ")[0]
    parser = commands.add_parser(
        name,
        help=first[0].lower() + first[1:].rstrip("."),
        description=textwrap.fill(text, WIDTH),
        epilog=example and f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser

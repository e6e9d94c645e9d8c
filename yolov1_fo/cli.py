"""The command line, `yolov1-fo`: thin over the library's public names."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from yolov1_fo import __version__, database
from yolov1_fo.commands import (
    INTERRUPTED,
    MISTAKE,
    apply,
    demo,
    doctor,
    evaluate,
    export,
    import_darknet,
    inspect,
    pretrain,
    publish,
    runs,
    train,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv (None): instead of the process's arguments

    Returns:
        0; 1 if `doctor` found something; 2 for a user's mistake, which is said in one
        line; 130 if interrupted
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    _quieten()
    try:
        return arguments.run(arguments)
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"yolov1-fo: {database.line(error)}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt as error:
        if not getattr(error, "__notes__", None):  # else it was told how it goes on
            print("yolov1-fo: interrupted", file=sys.stderr)
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Says a mistake in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISTAKE, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "yolov1-fo",
        description="YOLOv1 for FiftyOne: train on a dataset, apply, evaluate.",
        epilog="yolov1-fo COMMAND --help says more; yolov1-fo demo shows it all.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_Parser
    )
    for module in (
        *(demo, train, apply, evaluate, inspect),
        *(runs, pretrain, import_darknet, export, publish, doctor),
    ):
        module.add(commands)
    return parser


def _quieten() -> None:
    """Shows our own progress; hides what TensorFlow says of its build."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    database.scrub_logs()
    logger = logging.getLogger("yolov1_fo")
    logger.setLevel(logging.INFO)
    logger.handlers = [logging.StreamHandler(sys.stdout)]

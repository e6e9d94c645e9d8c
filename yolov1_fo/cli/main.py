"""The command line `yolov1-fo`: a thin layer over the library's public functions."""

import argparse
import contextlib
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from yolov1_fo import __version__
from yolov1_fo.cli.commands import (
    BUG,
    ERROR,
    INTERRUPTED,
    TERMINATED,
    apply,
    demo,
    doctor,
    evaluate,
    export,
    import_darknet,
    inspect,
    install_plugin,
    labels,
    pretrain,
    publish,
    recipe,
    register,
    report,
    runs,
    train,
)
from yolov1_fo.config import spelling
from yolov1_fo.datasets import database_uri, error_lines


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; errors are printed as one line.

    Args:
        argv (None): arguments; by default those of the process

    Returns:
        the exit code: 0; 1 if `doctor` found an error; 2 if the command failed; 70 for
        an unexpected exception, which is a bug; 130 after Ctrl-C, 143 after SIGTERM
    """
    arguments = _parser().parse_args(argv)
    try:
        with _terminable(), _quiet():
            code = arguments.run(arguments)
            sys.stdout.flush()  # here, where the error of a full disk can be reported
            return code
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        sys.stdout = None  # else Python would flush it at exit
        return 0
    except KeyboardInterrupt as stopped:
        message = "; ".join(getattr(stopped, "__notes__", ["interrupted"]))
        code = TERMINATED if isinstance(stopped, _Terminated) else INTERRUPTED
    except Exception as error:
        message, code = _error_message(error)
    print(f"yolov1-fo: {message}", file=sys.stderr)
    _release_database()
    return code


class _Terminated(KeyboardInterrupt):
    """SIGTERM, handled with the same cleanup as Ctrl-C."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Turns SIGTERM into an exception while a command runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(*_: Any) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _error_message(error: Exception) -> tuple[str, int]:
    """Returns an error as one line, and the exit code."""
    line = error_lines.describe(error)
    if line is not None:
        return line, ERROR
    report = database_uri.scrub("".join(traceback.format_exception(error)))
    try:
        number, path = tempfile.mkstemp(".log", "yolov1-fo-")
        os.close(number)
        Path(path).write_text(report, encoding="utf-8")
        where = f"the traceback is in '{path}'"
    except OSError:
        where = report.strip().splitlines()[-3].strip()  # File "...", line ...
    kind = type(error).__name__
    return (
        f"a bug: {kind}: {database_uri.one_line(error)}; please report it, {where}",
        BUG,
    )


def _release_database() -> None:
    """Keeps the process from waiting at exit for a database that does not answer."""
    if "fiftyone" in sys.modules:
        from yolov1_fo.datasets import connection

        connection.avoid_exit_delay()


class _Parser(argparse.ArgumentParser):
    """Prints an error as one line, without the usage."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Rejects unknown arguments, and suggests the option with a similar name."""
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:
            options = re.findall(r"--[\w-]+", self.format_help())
            name = next((one for one in unknown if one.startswith("--")), None)
            similar = spelling.suggestion(name and name.partition("=")[0], options)
            self.error(f"unrecognized arguments: {' '.join(unknown)}{similar}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "yolov1-fo",
        description="YOLOv1 for FiftyOne: train on a dataset, apply, evaluate.",
        epilog="See yolov1-fo COMMAND --help for details; try yolov1-fo demo first.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", parser_class=_Parser
    )
    for module in (
        *(demo, train, apply, evaluate, inspect, labels),
        *(recipe, runs, report, pretrain, import_darknet, export, publish, register),
        *(install_plugin, doctor),
    ):
        module.add(commands)
    return parser


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Shows this package's log lines once; hides TensorFlow's log lines."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    database_uri.scrub_logs()
    logging.getLogger("fiftyone.core.odm.database").addFilter(_is_actionable)
    logger = logging.getLogger("yolov1_fo")
    level, handlers, propagate = logger.level, logger.handlers, logger.propagate
    logger.setLevel(logging.INFO)
    logger.handlers = [logging.StreamHandler(sys.stdout)]
    logger.propagate = False  # some libraries add a handler to the root logger
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.handlers, logger.propagate = handlers, propagate


def _is_actionable(record: logging.LogRecord) -> bool:
    """Drops the warning that FiftyOne's embedded MongoDB server is old."""
    is_about_age = "oldest supported" in record.getMessage()
    return not is_about_age or database_uri.address() != database_uri.EMBEDDED

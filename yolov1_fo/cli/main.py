"""The command line, `yolov1-fo`: thin over the library's public names."""

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
    INTERRUPTED,
    MISTAKE,
    TERMINATED,
    apply,
    demo,
    doctor,
    evaluate,
    export,
    import_darknet,
    inspect,
    install_plugin,
    pretrain,
    publish,
    runs,
    train,
)
from yolov1_fo.config import spelling
from yolov1_fo.datasets import database, error_lines


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        argv (None): instead of the process's arguments

    Returns:
        0; 1 if `doctor` found something; 2 if it failed, which is said in one line; 70
        if that can only be a bug of ours; 130 and 143 if Ctrl-C and SIGTERM ended it
    """
    arguments = _parser().parse_args(argv)
    try:
        with _terminable(), _quiet():
            code = arguments.run(arguments)
            sys.stdout.flush()  # here, where a full disk can still be told
            return code
    except BrokenPipeError:  # whoever reads has enough
        sys.stdout = None  # Python would flush it at exit
        return 0
    except KeyboardInterrupt as stopped:
        said = "; ".join(getattr(stopped, "__notes__", ["interrupted"]))
        code = TERMINATED if isinstance(stopped, _Terminated) else INTERRUPTED
    except Exception as error:
        said, code = _said(error)
    print(f"yolov1-fo: {said}", file=sys.stderr)
    _let_go()
    return code


class _Terminated(KeyboardInterrupt):
    """SIGTERM: what cleans up after Ctrl-C does so after it too."""


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM end a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _said(error: Exception) -> tuple[str, int]:
    """Returns the line that tells of an error, and the exit code."""
    line = error_lines.line(error)
    if line is not None:
        return line, MISTAKE
    report = database.scrubbed("".join(traceback.format_exception(error)))
    try:
        number, path = tempfile.mkstemp(".log", "yolov1-fo-")
        os.close(number)
        Path(path).write_text(report, encoding="utf-8")
        where = f"the traceback is in '{path}'"
    except OSError:
        where = report.strip().splitlines()[-3].strip()  # File "...", line ...
    kind = type(error).__name__
    return f"a bug: {kind}: {database.line(error)}; please report it, {where}", BUG


def _let_go() -> None:
    """Keeps the end of the process from waiting for a database that is away."""
    if "fiftyone" in sys.modules:
        from yolov1_fo.datasets import connection

        connection.let_go()


class _Parser(argparse.ArgumentParser):
    """Says a mistake in one line, without the usage."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuses what is not known, with the option that was likely meant."""
        known, left = super().parse_known_args(args, namespace)
        if left:
            options = re.findall(r"--[\w-]+", self.format_help())
            name = next((one for one in left if one.startswith("--")), None)
            near = spelling.suggestion(name and name.partition("=")[0], options)
            self.error(f"unrecognized arguments: {' '.join(left)}{near}")
        return known, left

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
        *(runs, pretrain, import_darknet, export, publish),
        *(install_plugin, doctor),
    ):
        module.add(commands)
    return parser


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Shows our own progress, once; hides what TensorFlow says of its build."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    database.scrub_logs()
    logging.getLogger("fiftyone.core.odm.database").addFilter(_can_be_mended)
    logger = logging.getLogger("yolov1_fo")
    level, handlers, propagate = logger.level, logger.handlers, logger.propagate
    logger.setLevel(logging.INFO)
    logger.handlers = [logging.StreamHandler(sys.stdout)]
    logger.propagate = False  # libraries give the root logger a handler of their own
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.handlers, logger.propagate = handlers, propagate


def _can_be_mended(record: logging.LogRecord) -> bool:
    """Drops what is said of the age of FiftyOne's own MongoDB server."""
    is_age = "oldest supported" in record.getMessage()
    return not is_age or database.address() != database.EMBEDDED

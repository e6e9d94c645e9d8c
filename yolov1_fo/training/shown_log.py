"""Shows the log of a training where nobody has configured logging."""

import contextlib
import logging
import sys
from collections.abc import Iterator

NAME = "yolov1_fo"


@contextlib.contextmanager
def shown_log(is_shown: bool) -> Iterator[None]:
    """Prints this package's log lines inside the context, as the command line does.

    They say which settings were chosen and why. A program that has configured logging,
    for all packages or for this one, is left alone.

    Args:
        is_shown: whether to do it
    """
    logger = logging.getLogger(NAME)
    is_configured = logger.handlers or logger.level != logging.NOTSET
    if not is_shown or is_configured or logging.getLogger().level <= logging.INFO:
        yield
        return
    handler = logging.StreamHandler(sys.stdout)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = propagate

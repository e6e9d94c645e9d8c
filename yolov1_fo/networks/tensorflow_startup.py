"""Imports TensorFlow without the messages that its native code prints."""

import contextlib
import os
import threading
from collections.abc import Iterator

_stderr_lock = threading.RLock()


def load_tensorflow() -> None:
    """Imports TensorFlow; hides what it prints about its build while it is imported.

    Raises:
        ImportError: if it is not installed
    """
    import yolov1_fo

    with hidden_stderr():
        yolov1_fo.train  # noqa: B018  # the attribute's module imports TensorFlow


@contextlib.contextmanager
def hidden_stderr() -> Iterator[None]:
    """Hides what the process writes to standard error, native libraries included.

    Other threads wait with hiding it until it is restored.
    """
    with _stderr_lock:
        stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(devnull)

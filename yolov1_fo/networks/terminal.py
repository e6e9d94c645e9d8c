"""What libraries in C and C++ print, kept off the terminal."""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Hides what the process writes to its standard error, in whatever language."""
    errors, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(errors, 2)
        os.close(errors)
        os.close(nowhere)

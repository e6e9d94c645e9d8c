"""Loads TensorFlow where a person reads what is printed."""

import os


def load_tensorflow() -> None:
    """Loads TensorFlow, without what it says of its build before it can be told not to.

    Raises:
        ImportError: if it is missing
    """
    import yolov1_fo

    errors, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yolov1_fo.train  # noqa: B018  # its module loads it
    finally:
        os.dup2(errors, 2)
        os.close(errors)
        os.close(nowhere)

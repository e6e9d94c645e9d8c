"""Loads TensorFlow where a person reads what is printed."""

from yolov1_fo.networks import terminal


def load_tensorflow() -> None:
    """Loads TensorFlow, without what it says of its build before it can be told not to.

    Raises:
        ImportError: if it is missing
    """
    import yolov1_fo

    with terminal.unheard():
        yolov1_fo.train  # noqa: B018  # its module loads it

"""Keras' settings under which all of ours is made, whatever the user's own are.

Layers, inputs and metrics take their channel order, precision and kind of numbers from
`keras.json` and `keras.config` when they are made, and keep them. Loading this module
on a backend that can't train raises an ImportError.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator

import keras

BACKENDS = ("tensorflow", "jax")

if keras.backend.backend() not in BACKENDS:
    raise ImportError(
        f"yolov1_fo needs Keras' backend {' or '.join(BACKENDS)}, got "
        f"{keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
    )

_LOCK = threading.RLock()


@contextlib.contextmanager
def pinned(precision: str = "float32") -> Iterator[None]:
    """Lets what is made inside have channels last and float32; puts the user's back.

    Args:
        precision (float32): Keras' dtype policy, which layers take that name none
    """
    with _LOCK:
        policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
        channels = keras.config.image_data_format()
        keras.config.set_dtype_policy(precision)
        keras.config.set_floatx("float32")
        keras.config.set_image_data_format("channels_last")
        try:
            yield
        finally:
            keras.config.set_dtype_policy(policy)
            keras.config.set_floatx(floatx)
            keras.config.set_image_data_format(channels)


@contextlib.contextmanager
def quiet_tracing() -> Iterator[None]:
    """Keeps TensorFlow from warning that functions are compiled again and again.

    Each training has a network of its own, and so functions of its own; whoever trains
    often in one process can do nothing about it.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_told)
    try:
        yield
    finally:
        logger.removeFilter(_is_told)


def _is_told(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()

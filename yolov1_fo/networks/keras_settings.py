"""Fixed Keras settings for everything this package builds, whatever the user has set.

Layers, inputs and metrics read the channel order, dtype policy and float type from
`keras.json` and `keras.config` when they are created, and keep them. Importing this
module with a backend that can't train raises an ImportError.
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
def fixed_settings(precision: str = "float32") -> Iterator[None]:
    """Sets channels last and float32 inside the context; then restores the user's.

    Args:
        precision (float32): Keras' dtype policy of layers that are created without one
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
def hide_retracing_warnings() -> Iterator[None]:
    """Hides TensorFlow's warnings about repeated compilation inside the context.

    Each training compiles functions for its own network, so that several trainings in
    one process cause the warning, and the user can't avoid it.
    """
    logger = logging.getLogger("tensorflow")
    logger.addFilter(_is_other_message)
    try:
        yield
    finally:
        logger.removeFilter(_is_other_message)


def _is_other_message(record: logging.LogRecord) -> bool:
    return "triggered tf.function retracing" not in record.getMessage()

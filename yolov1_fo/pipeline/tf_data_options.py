"""Workarounds for `tf.data`: datasets that free their memory and end without delay."""

import weakref
from collections.abc import Callable
from typing import Any


def weakly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that calls another one, but holds only a weak reference to it.

    TensorFlow never frees the Python functions of a `tf.data.Dataset`, nor the images
    that these refer to. With `keep_alive` they live as long as the dataset.
    """
    reference = weakref.ref(function)

    def call(*args: Any) -> Any:
        function = reference()
        if function is None:
            raise ReferenceError("the tf.data.Dataset no longer exists")
        return function(*args)

    return call


def keep_alive(dataset: Any, *functions: Callable[..., Any]) -> Any:
    """Returns a `tf.data.Dataset` that holds references to functions, see `weakly`.

    Its iterators hold the dataset.
    """
    dataset.python_functions = functions
    return dataset


def without_autotune(dataset: Any) -> Any:
    """Returns a `tf.data.Dataset` that is not autotuned.

    The autotuning thread wakes up at growing intervals, up to a minute, and deleting
    the dataset waits for it: short trainings took up to half as long again.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)

"""The network as it is validated and saved: with its averaged weights, if there are."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from yolov1_fo.training.distribution import Devices


@contextlib.contextmanager
def averaged_weights(learner: keras.Model) -> Iterator[None]:
    """Replaces the weights by their moving averages inside the context."""
    optimizer = _inner(learner.optimizer)
    if not optimizer.use_ema:
        yield
        return
    optimizer.swap_averages()
    try:
        yield
    finally:
        optimizer.swap_averages()


class AveragedNetwork:
    """Gives the averaged network of a learner to one process.

    Args:
        learner: compiled
        devices: that share each batch
    """

    def __init__(self, learner: keras.Model, devices: Devices) -> None:
        self.learner, self.devices = learner, devices
        self._copy: keras.Model | None = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[keras.Model]:
        """Gives the network, to predict with and to save inside the context.

        Several devices get a copy: with the original, Keras would predict on all of
        them, or wait for the other processes.
        """
        learner = self.learner
        if self.devices.count == 1:
            with averaged_weights(learner):
                yield learner.network
            return
        optimizer = _inner(learner.optimizer)
        averages = optimizer.averages() if optimizer.use_ema else {}
        values = [averages.get(v.path, v.numpy()) for v in learner.network.weights]
        with self.devices.alone():
            if self._copy is None:
                self._copy = keras.models.clone_model(learner.network)
            self._copy.set_weights(values)
            yield self._copy


def _inner(optimizer: Any) -> Any:
    """Returns the optimizer inside a `LossScaleOptimizer`."""
    return getattr(optimizer, "inner_optimizer", optimizer)

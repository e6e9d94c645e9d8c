"""What the workers that share a training tell each other.

The first one validates, saves and reports; the others wait for its word.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from yolov1_fo.config import TrainConfig
from yolov1_fo.training.callbacks import EndOfEpoch, is_over
from yolov1_fo.training.distribution import Devices
from yolov1_fo.training.resume import Progress


@contextlib.contextmanager
def beginning(devices: Devices) -> Iterator[None]:
    """Lets the first worker check what is to be done; tells the others if it may begin.

    Args:
        devices: of the training
    """
    said = ""
    try:
        yield
        said = "begin"
    finally:
        devices.from_first(said)


def hear(devices: Devices) -> str:
    """Returns what the first worker says next, and waits for it.

    Raises:
        RuntimeError: if it has failed
    """
    said = devices.from_first("")
    if not said:
        raise RuntimeError("worker 0 has failed; its own output says why")
    return said


class Lead(keras.callbacks.Callback):
    """Ends an epoch, and tells the other workers what came of it.

    Args:
        devices: of the training
        end: does what belongs to the end of an epoch
    """

    def __init__(self, devices: Devices, end: EndOfEpoch) -> None:
        super().__init__()
        self.devices, self.end = devices, end

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Does it; says nothing if that fails."""
        self.end.set_model(self.model)
        said = ""
        try:
            self.end.on_epoch_end(epoch, logs)
            said = self.end.progress.to_json()
        finally:
            self.devices.from_first(said)


class Follow(keras.callbacks.Callback):
    """Waits until the first worker has ended an epoch, and stops when it does.

    Args:
        devices: of the training
        config: of the training
        progress: is kept up to date
    """

    def __init__(
        self, devices: Devices, config: TrainConfig, progress: Progress
    ) -> None:
        super().__init__()
        self.devices, self.config, self.progress = devices, config, progress

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Waits.

        Raises:
            RuntimeError: if the first worker has failed
        """
        now = Progress.from_json(hear(self.devices))
        for part in dataclasses.fields(Progress):
            setattr(self.progress, part.name, getattr(now, part.name))
        self.model.stop_training = is_over(self.progress, self.config)

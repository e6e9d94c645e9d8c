"""How the processes of one training wait for each other.

The first process validates, saves and reports; the others wait for its messages.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras

from yolov1_fo.training.distribution import Devices
from yolov1_fo.training.first_process import FirstProcessError
from yolov1_fo.training.progress import Progress


@contextlib.contextmanager
def first_process_only(devices: Devices) -> Iterator[bool]:
    """Runs the body in the first process while the others wait until it is finished.

    Gives whether this is the first process; the others should skip the body.

    Raises:
        FirstProcessError: in the others, if the first process has failed
    """
    if not devices.is_first:
        yield False
        _receive(devices)
        return
    message = ""
    try:
        yield True
        message = "ready"
    finally:
        devices.from_first(message)


def end_of_epoch(
    devices: Devices,
    progress: Progress,
    end: Callable[[int, dict[str, Any]], None],
) -> Callable[[int, dict[str, Any]], None]:
    """Returns `end`, such that `progress` is the same in all processes afterwards.

    Args:
        devices: of the training
        progress: of this process
        end: called in the first process; changes `progress`
    """
    if devices.processes == 1:
        return end

    def lead(epoch: int, logs: dict[str, Any]) -> None:
        message = ""
        try:
            end(epoch, logs)
            message = progress.to_json()
        finally:
            devices.from_first(message)

    def wait(epoch: int, logs: dict[str, Any]) -> None:
        now = Progress.from_json(_receive(devices))
        for part in dataclasses.fields(Progress):
            setattr(progress, part.name, getattr(now, part.name))

    return lead if devices.is_first else wait


class StopTogether(keras.callbacks.Callback):
    """Ends the training in all processes if a callback of the first one has ended it.

    It is the last callback of each process. A stop within an epoch waits for its end:
    in the next step the other processes would wait for the first one.

    Args:
        devices: of the training
    """

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self.devices, self.stops = devices, False

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Holds back a stop."""
        self.stops = self.stops or self.model.stop_training
        self.model.stop_training = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops if the first process does."""
        stops = self.stops or self.model.stop_training
        answer = self.devices.from_first("stop" if stops else "continue")
        self.model.stop_training = answer == "stop"


def _receive(devices: Devices) -> str:
    """Returns the next message of the first process.

    Raises:
        FirstProcessError: if it has failed
    """
    message = devices.from_first("")
    if not message:
        raise FirstProcessError
    return message

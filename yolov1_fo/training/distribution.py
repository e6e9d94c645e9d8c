"""The devices that share each batch, of this process or of several.

TensorFlow gives each device a copy of the step, a replica, with its part of the batch
(`tf.distribute.MirroredStrategy`). JAX spreads one step over all devices, those of
other processes, the workers, included (`keras.distribution.DataParallel`).
"""

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig

PARTING = 10
"""Seconds that a process waits, when it ends, for workers that have not."""


@dataclass(frozen=True)
class Devices:
    """Who shares a batch.

    Attributes:
        count: devices, in all workers together
        replicas: copies of the step, each with a part of the batch
        worker: which of the processes this one is, from 0; the first one writes
        workers: processes
        strategy: of TensorFlow; None for one device
        distribution: of Keras on JAX; None for one device
    """

    count: int = 1
    replicas: int = 1
    worker: int = 0
    processes: int = 1
    strategy: Any = None
    distribution: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this process validates, writes and reports."""
        return self.worker == 0

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns what variables that all devices share are made in."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Lets this process compute for itself, on one device."""
        if self.distribution is None:
            yield
            return
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(self.distribution)

    def check(self, config: TrainConfig) -> None:
        """Raises a ValueError if the devices can't share the batches of a training."""
        batch_size = config.batch_size
        if batch_size % self.count:
            raise ValueError(
                f"batch_size must be a multiple of {self.count}, the devices that "
                f"share it, got {batch_size}"
            )
        if self.replicas > 1 and config.steps_per_execution > 1:  # Keras fails
            raise ValueError(
                "steps_per_execution must be 1 for several devices on TensorFlow, "
                f"got {config.steps_per_execution}"
            )

    def part(self, batch_size: int) -> slice:
        """Returns which images of a batch this process reads."""
        size = batch_size // self.processes
        return slice(self.worker * size, (self.worker + 1) * size)

    def from_first(self, text: str) -> str:
        """Returns what the first worker says; all must ask, and wait for each other."""
        if self.processes == 1:
            return text
        from jax.experimental import multihost_utils

        said = text.encode()
        size = int(multihost_utils.broadcast_one_to_all(np.int32(len(said))))
        letters = np.zeros(size, np.uint8)
        if self.is_first:
            letters[:] = np.frombuffer(said, np.uint8)
        return bytes(np.asarray(multihost_utils.broadcast_one_to_all(letters))).decode()


ONE = Devices()


@contextlib.contextmanager
def share(devices: int | None = None) -> Iterator[Devices]:
    """Gives the devices that share each batch of what is trained inside.

    On a machine without accelerators they are logical devices of its processor, which
    share its cores. On JAX they are `devices` of each worker; workers are found by the
    environment variables of `keras.distribution.initialize`, or have joined already by
    `jax.distributed.initialize`.

    Args:
        devices (None): how many; 0 and None take one

    Raises:
        ValueError: if there are not so many, or workers are asked of TensorFlow
    """
    if isinstance(devices, bool) or not isinstance(devices or 0, int):
        raise ValueError(f"devices must be a whole number, got {devices!r}")
    if devices is not None and devices < 0:
        raise ValueError(f"devices must be at least 0, got {devices}")
    if keras.backend.backend() == "jax":
        shared = _spread(devices or 1)
    else:
        shared = _mirrored(devices or 1)
    if shared.distribution is None:
        yield shared
        return
    with shared.distribution.scope():
        yield shared


def _mirrored(devices: int) -> Devices:
    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
        raise ValueError(
            "several workers need the JAX backend: set KERAS_BACKEND=jax, "
            f"got {keras.backend.backend()}"
        )
    hardware.grow_memory()
    if devices == 1:
        return ONE
    import tensorflow as tf

    kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    if kind == "CPU":
        cpu = tf.config.get_visible_devices(kind)[0]
        # It is too late if TensorFlow runs already: the check below then says so.
        with contextlib.suppress(RuntimeError):
            if len(tf.config.get_logical_device_configuration(cpu) or ()) < devices:
                tf.config.set_logical_device_configuration(
                    cpu, [tf.config.LogicalDeviceConfiguration()] * devices
                )
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    _check_number(devices, len(names), kind, "TensorFlow")
    strategy = _strategy(tuple(names[:devices]))
    return Devices(devices, replicas=devices, strategy=strategy)


@functools.cache
def _strategy(names: tuple[str, ...]) -> Any:
    """Returns one strategy a process: two would take each other's sums for theirs."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(list(names))


def _spread(devices: int) -> Devices:
    import jax

    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
        _join()
    if devices > 1:
        with contextlib.suppress(RuntimeError):  # as above
            jax.config.update("jax_num_cpu_devices", devices)
    here = jax.local_devices()
    _check_number(devices, len(here), here[0].platform.upper(), "JAX")
    processes = jax.process_count()
    if devices == processes == 1:
        return ONE
    names = [
        f"{device.platform}:{device.id}"
        for worker in range(processes)
        for device in jax.local_devices(process_index=worker)[:devices]
    ]
    distribution = keras.distribution.DataParallel(
        devices=names, auto_shard_dataset=False
    )
    return Devices(
        devices * processes,
        worker=jax.process_index(),
        processes=processes,
        distribution=distribution,
    )


def _join() -> None:
    import jax

    if jax.distributed.is_initialized():
        return
    names = ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID")
    given = [os.environ.get(f"KERAS_DISTRIBUTION_{name}", "") for name in names]
    if not (given[0] and given[1].isdigit() and given[2].isdigit()):
        raise ValueError(
            "a worker needs KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and "
            f"_PROCESS_ID, got {', '.join(repr(value) for value in given)}"
        )
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        given[0].split(",")[0],
        int(given[1]),
        int(given[2]),
        heartbeat_timeout_seconds=PARTING,
        shutdown_timeout_seconds=PARTING,
    )


def _check_number(devices: int, there: int, kind: str, who: str) -> None:
    if devices <= there:
        return
    if kind == "CPU":
        raise ValueError(
            f"devices must be at most {there}, the logical CPU devices that {who} has "
            f"started with; got {devices}; train in a new process"
        )
    raise ValueError(
        f"devices must be at most {there}, the {kind}s that {who} sees; got {devices}"
    )


def averaged(gradients: list[Array | None]) -> list[Array | None]:
    """Returns gradients, averaged over the replicas of TensorFlow, in a step."""
    import tensorflow as tf

    there = [gradient for gradient in gradients if gradient is not None]
    context = tf.distribute.get_replica_context()
    means = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, there))
    return [gradient if gradient is None else next(means) for gradient in gradients]

"""The devices that share each batch, of one process or of several.

TensorFlow gives each device a copy of the step, a replica, and a part of the batch
(`tf.distribute.MirroredStrategy`). JAX spreads one step over the devices of all
processes (`keras.distribution.DataParallel`).
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

SHUTDOWN_TIMEOUT = 10
"""Seconds that a process that ends waits for the others."""


@dataclass(frozen=True)
class Devices:
    """The devices that share each batch.

    Attributes:
        count: number of devices in all processes
        replicas: copies of the step, each with a part of the batch
        process: index of this process; process 0 writes
        processes: number of processes
        strategy: of TensorFlow; None for one device
        distribution: of Keras on JAX; None for one device
    """

    count: int = 1
    replicas: int = 1
    process: int = 0
    processes: int = 1
    strategy: Any = None
    distribution: Any = None

    @property
    def is_first(self) -> bool:
        """Whether this process validates, writes and reports."""
        return self.process == 0

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns a context in which variables are shared by all devices."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Lets this process compute on one device of its own inside the context."""
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
        if config.max_minutes and keras.backend.backend() == "jax":
            # The compiled step would not see another pace.
            raise ValueError("max_minutes needs the TensorFlow backend, got jax")
        if batch_size % self.count:
            raise ValueError(
                f"batch_size must be a multiple of {self.count}, the devices that "
                f"share it, got {batch_size}"
            )
        for name in ("steps_per_execution", "gradient_accumulation_steps"):
            if self.replicas > 1 and getattr(config, name) > 1:  # Keras fails
                raise ValueError(
                    f"{name} must be 1 for several devices on TensorFlow, "
                    f"got {getattr(config, name)}"
                )

    def part(self, batch_size: int) -> slice:
        """Returns which images of a batch this process reads."""
        size = batch_size // self.processes
        return slice(self.process * size, (self.process + 1) * size)

    def from_first(self, text: str) -> str:
        """Returns the text of process 0; every process must call this."""
        if self.processes == 1:
            return text
        from jax.experimental import multihost_utils

        data = text.encode()
        size = int(multihost_utils.broadcast_one_to_all(np.int32(len(data))))
        letters = np.zeros(size, np.uint8)
        if self.is_first:
            letters[:] = np.frombuffer(data, np.uint8)
        return bytes(np.asarray(multihost_utils.broadcast_one_to_all(letters))).decode()


ONE = Devices()


@contextlib.contextmanager
def share(devices: int | None = None) -> Iterator[Devices]:
    """Gives the devices that share each batch of a training inside the context.

    Without accelerators they are logical CPU devices, which share the cores. On JAX
    they are `devices` of each process; processes find each other by the environment
    variables of `keras.distribution.initialize`, unless the caller has called
    `jax.distributed.initialize`.

    Args:
        devices (None): how many; 0 and None use one

    Raises:
        ValueError: if there are fewer, or the backend is TensorFlow and several
            processes are configured
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
            "several processes need the JAX backend: set KERAS_BACKEND=jax, "
            f"got {keras.backend.backend()}"
        )
    hardware.enable_memory_growth()
    if devices == 1:
        return ONE
    import tensorflow as tf

    kind = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    if kind == "CPU":
        cpu = tf.config.get_visible_devices(kind)[0]
        # Too late if TensorFlow is initialized; then the check below raises.
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
    """Returns the process' only strategy: two would mix up their all-reduces."""
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
        for process in range(processes)
        for device in jax.local_devices(process_index=process)[:devices]
    ]
    distribution = keras.distribution.DataParallel(
        devices=names, auto_shard_dataset=False
    )
    return Devices(
        devices * processes,
        process=jax.process_index(),
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
            "each process needs KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and "
            f"_PROCESS_ID, got {', '.join(repr(value) for value in given)}"
        )
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        given[0].split(",")[0],
        int(given[1]),
        int(given[2]),
        heartbeat_timeout_seconds=SHUTDOWN_TIMEOUT,
        shutdown_timeout_seconds=SHUTDOWN_TIMEOUT,
    )


def _check_number(devices: int, available: int, kind: str, library: str) -> None:
    if devices <= available:
        return
    if kind == "CPU":
        raise ValueError(
            f"devices must be at most {available}, the logical CPU devices that "
            f"{library} has started with; got {devices}; train in a new process"
        )
    raise ValueError(
        f"devices must be at most {available}, the {kind}s that {library} sees; "
        f"got {devices}"
    )


def averaged(gradients: list[Array | None]) -> list[Array | None]:
    """Returns gradients averaged over the replicas of TensorFlow, inside a step."""
    import tensorflow as tf

    present = [gradient for gradient in gradients if gradient is not None]
    context = tf.distribute.get_replica_context()
    means = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, present))
    return [gradient if gradient is None else next(means) for gradient in gradients]
